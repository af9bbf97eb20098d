import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openScorer, PictureError, type Scorer } from "../../../models/index.ts";
import {
  openStore,
  type StorePicture,
  scoreStored,
  type WatchedChange,
  watchPictures,
} from "../../../models/store/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";

let folder = "";
let scorer: Scorer;
let expected: number[] = [];
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-stored-"));
  const known = await knownScores(folder, 4);
  ({ expected } = known);
  for (const [i, bytes] of known.pictures.entries()) {
    await writeFile(at(`${i}.png`), bytes);
    await utimes(at(`${i}.png`), new Date(1e12), new Date(1e12));
  }
  scorer = await openScorer({ model: known.model, device: await sharedDevice(), features: true, sharpness: true });
});
afterAll(async () => {
  await scorer.close();
  await rm(folder, { recursive: true, force: true });
});

async function all(path: string, paths: readonly string[], options = {}): Promise<StorePicture[]> {
  using store = await openStore(path);
  const found: StorePicture[] = [];
  for await (const result of scoreStored(store, scorer, paths, options)) found.push(result);
  return found.sort((a, b) => a.index - b.index);
}

const pictures = () => [0, 1, 2, 3].map((i) => at(`${i}.png`));

describe("scoring with a store", () => {
  test("gives what the scorer gives, and the same from the store, features when they are asked for", async () => {
    const first = await all(at("a.db"), pictures(), { features: true });
    expect(first.map((one) => ("score" in one ? [one.score, one.stored] : one))).toEqual(
      expected.map((score) => [score, false]),
    );
    const again = await all(at("a.db"), pictures(), { features: true });
    expect(again).toEqual(first.map((one) => ({ ...one, stored: true })));
    for (const one of again) if ("score" in one) expect(one.feature).toHaveLength(scorer.featureLength);
    for (const one of await all(at("a.db"), pictures())) expect(one).not.toHaveProperty("feature");
  });

  test("tells of each at once, in whatever order they come", async () => {
    const told: number[] = [];
    const paths = [...pictures(), at("0.png")];
    await all(at("b.db"), paths, { onResult: ({ index }: StorePicture) => told.push(index) });
    expect(told.sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("what is no file, or is not there, comes with its error and is tried again", async () => {
    await mkdir(at("folder.png"));
    spawnSync("mkfifo", [at("pipe.png")]);
    await symlink("circle.png", at("circle.png"));
    await writeFile(at("empty.png"), "");
    const paths = [at("folder.png"), at("pipe.png"), at("none.png"), at("circle.png"), at("empty.png"), at("0.png")];
    for (const stored of [false, true]) {
      const found = await all(at("c.db"), paths);
      const words = found.map((one) => ("error" in one ? (one.error as PictureError).reason : one.stored));
      expect(words).toEqual(["not-a-file", "not-a-file", "missing", "unreadable", "empty", stored]);
      for (const one of found) if ("error" in one) expect(one.error).toBeInstanceOf(PictureError);
      // The content of the empty file says that it is none; the others may be files the next time.
      expect(found.map((one) => one.stored)).toEqual([false, false, false, false, stored, stored]);
    }
  });

  test("a file that changes while it is scored is scored again, and its row is of what it is", async () => {
    await copyFile(at("0.png"), at("changing.png"));
    const [before, after] = [await readFile(at("0.png")), await readFile(at("1.png"))];
    expect(before.equals(after)).toBe(false);
    let scored = 0;
    const changing = {
      name: scorer.name,
      conditions: scorer.conditions,
      // As the scorer has read it, and before that is known here.
      scoreMany: (sources: AsyncIterable<string>, { onResult }: { onResult: (result: never) => void }) =>
        scorer.scoreMany(sources, {
          onResult: (result) => {
            if (scored++ === 0) spawnSync("cp", [at("1.png"), at("changing.png")]);
            onResult(result as never);
          },
        }),
    } as unknown as Scorer;
    using store = await openStore(at("d.db"));
    const found: StorePicture[] = [];
    for await (const one of scoreStored(store, changing, [at("changing.png")])) found.push(one);
    expect(found).toMatchObject([{ score: expected[1], stored: false, size: after.length }]);
    expect(scored).toBe(2);
    // One that never rests has an error, and no score that might be of something else.
    let size = 0;
    const restless = {
      ...changing,
      scoreMany: (sources: AsyncIterable<string>, { onResult }: { onResult: (result: never) => void }) =>
        scorer.scoreMany(sources, {
          onResult: (result) => {
            spawnSync("sh", ["-c", `printf %${++size}s >> ${at("changing.png")}`]);
            onResult(result as never);
          },
        }),
    } as unknown as Scorer;
    // Of a content that the store does not know.
    await copyFile(at("2.png"), at("changing.png"));
    const [last] = await Array.fromAsync(scoreStored(store, restless, [at("changing.png")]));
    expect((last as { error: Error }).error.message).toContain("changed while it was read, 3 times");
    expect([...store.pictures()]).toHaveLength(0);
  });

  test("ends with the reason of its signal, and what is done is kept", async () => {
    const stop = new AbortController();
    const onResult = () => stop.abort(new Error("enough"));
    await expect(all(at("e.db"), pictures(), { signal: stop.signal, onResult })).rejects.toThrow("enough");
    const kept = (await all(at("e.db"), pictures())).filter(({ stored }) => stored);
    expect(kept.length).toBeGreaterThanOrEqual(1);
  });
});

test("a watched folder that goes away and comes back is told of once, and nothing in it counts as removed", async () => {
  await mkdir(at("watched"));
  await copyFile(at("0.png"), at("watched/0.png"));
  const stop = new AbortController();
  const notes: string[] = [];
  const changes: WatchedChange[] = [];
  for await (const change of watchPictures([at("watched")], {
    signal: stop.signal,
    restMs: 50,
    everyMs: 60,
    onNote: (note) => notes.push(note),
  })) {
    changes.push(change);
    if (changes.length === 1) {
      spawnSync("mv", [at("watched"), at("away")]);
      setTimeout(() => {
        spawnSync("cp", [at("1.png"), at("away/1.png")]);
        spawnSync("mv", [at("away"), at("watched")]);
      }, 400);
    } else stop.abort();
  }
  expect(changes).toEqual([
    { pictures: [at("watched/0.png")], leftOut: [], removed: [] },
    { pictures: [at("watched/1.png")], leftOut: [], removed: [] },
  ]);
  expect(notes).toEqual([
    expect.stringContaining("cannot be read: there is nothing of this name. It is looked for again."),
  ]);
});
