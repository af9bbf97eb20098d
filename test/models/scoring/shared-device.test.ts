import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SharedDevice } from "../../../engine/device/shared.ts";
import { openScorer, type PictureScore } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { collectGarbage } from "../../engine/garbage.ts";
import { devices, failure, lasting, openKnown } from "./fixtures.ts";

let folder = "";
let model = "";
let pictures: Uint8Array[] = [];
/** Scores of `pictures`, each scored alone. */
let alone: PictureScore[] = [];
let close: () => Promise<void>;

beforeAll(async () => {
  ({ folder, model, pictures, alone, close } = await openKnown(12));
});

afterAll(() => close());

describe("a shared device", () => {
  test("is one for scorers that ask for the same: memory is counted once, the last one closes it", async () => {
    const before = await openScorer({ model });
    const one = before.device.memoryUse.usedBytes;
    const second = await openScorer({ model, name: "other" });
    expect(second.device).toBe(before.device);
    const both = before.device.memoryUse.usedBytes;
    expect(both).toBeGreaterThan(one);
    expect(both).toBeLessThanOrEqual(2 * one);
    await using elsewhere = await openScorer({ model, adapter: { memoryLimitBytes: 2 ** 28 } });
    expect(elsewhere.device).not.toBe(before.device);
    await using same = await openScorer({ model, adapter: { backend: undefined, memoryLimitBytes: 2 ** 28 } });
    expect(same.device).toBe(elsewhere.device);

    const { device } = before;
    const calls = pictures.map((picture) => second.score(picture));
    await before.close();
    expect(device.memoryUse.usedBytes).toBeLessThan(both);
    expect((await Promise.all(calls)).map(({ score }) => score)).toEqual(alone.map(({ score }) => score));
    await second.close();
    expect(() => device.check()).toThrow("closed");
    await using again = await openScorer({ model });
    expect(again.device).not.toBe(device);
    expect(lasting(await again.score(pictures[0]!))).toEqual(lasting(alone[0]!));
  });

  test("keeps nothing of scorers that were closed", async () => {
    const device = await sharedDevice();
    const closed: WeakRef<object>[] = [];
    for (let i = 0; i < 12; i++) {
      await using each = await openScorer({ model, device });
      await each.score(pictures[0]!);
      closed.push(new WeakRef(each.card));
    }
    for (let i = 0; i < 3; i++) {
      await sleep(1);
      await collectGarbage();
    }
    expect(closed.filter((each) => each.deref()).length).toBeLessThan(6);
  });

  test("that is lost under load is opened once more, and all scorers follow", async () => {
    const source = devices();
    const device = new SharedDevice(source.open);
    const losses: string[] = [];
    const open = (name: string) =>
      openScorer({ model, device, name, batch: 4, onDeviceLost: () => void losses.push(name) });
    await using first = await open("first");
    await using second = await open("second");
    await using idle = await open("idle");
    for (const each of [first, second, idle]) await each.score(pictures[0]!);
    expect(source.opened).toHaveLength(1);
    const calls = Array.from({ length: 40 }, async (_, i) => {
      const { score } = await (i % 2 ? first : second).score(pictures[i % 12]!);
      if (i === 6) source.lose();
      return score;
    });
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 40 }, (_, i) => alone[i % 12]!.score));
    await idle.recover();
    expect(source.opened).toHaveLength(2);
    expect(new Set([first, second, idle].map((each) => each.device))).toEqual(new Set([source.opened[1]!]));
    expect(losses.sort()).toEqual(["first", "idle", "second"]);
    expect(device.users).toBe(3);
  });

  test("that is lost for one is replaced for all, also for those that did not notice", async () => {
    const source = devices();
    const device = new SharedDevice(source.open);
    await using first = await openScorer({ model, device });
    await using second = await openScorer({ model, device });
    for (const each of [first, second]) await each.score(pictures[0]!);
    source.lose();
    expect((await first.score(pictures[1]!)).score).toBe(alone[1]!.score);
    expect((await second.score(pictures[2]!)).score).toBe(alone[2]!.score);
    expect(source.opened).toHaveLength(2);
    expect(second.device).toBe(first.device);
  });

  test("that cannot be opened fails for all who wait for it, and is tried again for the next", async () => {
    const source = devices();
    let refusals = 1;
    const device = new SharedDevice(async () => {
      // Long enough for both to have read the model on a busy machine.
      await sleep(500);
      if (refusals-- > 0) throw new Error("no adapter today");
      return source.open();
    });
    const failures = await Promise.all([1, 2].map(() => failure(openScorer({ model, device }))));
    expect(failures.map(({ message }) => message)).toEqual(["no adapter today", "no adapter today"]);
    expect(await failure(openScorer({ model: join(folder, "absent.safetensors"), device }))).toBeInstanceOf(Error);
    expect(device.users).toBe(0);
    // No device is opened for a model that is not there.
    expect(source.opened).toEqual([]);
    await using works = await openScorer({ model, device });
    expect(works.device).toBe(source.opened[0]!);
    expect(await failure(openScorer({ model, device, adapter: {} }))).toBeInstanceOf(TypeError);
  });
});
