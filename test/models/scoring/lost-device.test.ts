import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DeviceLostError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { openScorer, type PictureScore } from "../../../models/scoring/scorer.ts";
import { devices, failure, lasting, openKnown } from "./fixtures.ts";

let model = "";
let pictures: Uint8Array[] = [];
/** Scores of `pictures`, each scored alone. */
let alone: PictureScore[] = [];
let close: () => Promise<void>;

beforeAll(async () => {
  ({ model, pictures, alone, close } = await openKnown(12));
});

afterAll(() => close());

describe("a lost device", () => {
  test("is replaced under load: every caller gets the right score", async () => {
    const source = devices();
    const lost: Error[] = [];
    await using own = await openScorer({
      model,
      device: source.open,
      batch: 4,
      onDeviceLost: (error) => lost.push(error),
    });
    await own.score(pictures[0]!);
    const calls = Array.from({ length: 40 }, async (_, i) => {
      const score = await own.score(pictures[i % 12]!);
      if (i === 6) source.lose();
      return lasting(score);
    });
    const expected = Array.from({ length: 40 }, (_, i) => lasting(alone[i % 12]!));
    expect(await Promise.all(calls)).toEqual(expected);
    expect(source.opened).toHaveLength(2);
    expect(lost).toHaveLength(1);
    expect(lost[0]).toBeInstanceOf(DeviceLostError);
    expect(own.ready).toBe(true);
  });

  test("is replaced without a request, once it has served one", async () => {
    const source = devices();
    await using own = await openScorer({ model, device: source.open });
    await own.score(pictures[0]!);
    source.lose();
    for (let i = 0; i < 500 && source.opened.length < 2; i++) await sleep(10);
    await own.recover();
    expect(source.opened).toHaveLength(2);
    expect(own.ready).toBe(true);
    expect(lasting(await own.score(pictures[3]!))).toEqual(lasting(alone[3]!));
  });

  test("that cannot be replaced ends the calls; a later one tries again", async () => {
    const source = devices();
    let refuse = false;
    const open = async () => {
      if (refuse) throw new Error("no adapter today");
      return source.open();
    };
    await using own = await openScorer({ model, device: open });
    refuse = true;
    source.lose();
    const calls = await Promise.all(pictures.map((picture) => failure(own.score(picture))));
    for (const error of calls) {
      expect(error).toBeInstanceOf(DeviceLostError);
      expect(error.message).toContain("no adapter today");
    }
    expect(own.ready).toBe(false);
    refuse = false;
    expect(lasting(await own.score(pictures[0]!))).toEqual(lasting(alone[0]!));
  });

  test("of the host's own ends the calls with DeviceLostError, for all scorers on it", async () => {
    const device = await openDevice();
    await using first = await openScorer({ model, device });
    await using second = await openScorer({ model, device, name: "other" });
    const both = await Promise.all([first.score(pictures[0]!), second.score(pictures[0]!)]);
    expect(both.map(({ model: name, score }) => [name, score])).toEqual([
      ["small", alone[0]!.score],
      ["other", alone[0]!.score],
    ]);
    device.gpu.destroy();
    for (const each of [first, second]) expect(await failure(each.score(pictures[0]!))).toBeInstanceOf(DeviceLostError);
    expect(first.ready).toBe(false);
  });
});
