import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { nameOfBytes } from "../../../models/data/files/file-name.ts";
import { openStore, type Store, type StoredScore, StoreError } from "../../../models/store/index.ts";
import { applicationId, storeVersion } from "../../../models/store/schema.ts";

const writer = new URL("writer.ts", import.meta.url).pathname;

let folder = "";
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-store-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const score: StoredScore = {
  score: 100 / 3,
  range: [0, 100],
  interval: { low: 1 / 3, high: 50.1, level: 0.9 },
  typicality: { share: 0.2, word: "typical" },
  reasons: [{ reason: "blur", probability: 0.7000000000000001 }],
  sharpness: 0.1,
  width: 40,
  height: 30,
  model: "m",
  feature: Float32Array.from([1.5, -0.1, 1e-30]),
};
const content = (byte: number) => new Uint8Array(32).fill(byte);
const state = { size: 9, changed: 1_700_000_000_123_456 };
const scorerOf = (store: Store, key = "k") => store.scorer({ key, model: key, conditions: `{"of":"${key}"}` });

describe("a store", () => {
  test("gives back what was put in, to the bit, also when it is opened again", async () => {
    const stray = nameOfBytes(new Uint8Array([...Buffer.from("/photos/\u00fc-"), 0xff, 0x2e, 0x6a]));
    const paths = ["/photos/a.jpg", stray, "/photos/new\nline\u202e.png"];
    {
      using store = await openStore(at("kept.db"));
      const scorer = scorerOf(store);
      for (const [i, path] of paths.entries()) store.put(scorer, { path, state, content: content(i) }, score);
      store.put(scorer, { path: "/bad", state, content: content(9) }, { reason: "truncated", error: "It ends." });
    }
    using store = await openStore(at("kept.db"));
    const scorer = scorerOf(store);
    expect(store.files).toBe(4);
    for (const [i, path] of paths.entries()) {
      expect(store.file(path)).toEqual({ ...state, content: content(i) });
      expect(store.result(scorer, content(i), true)).toEqual(score);
    }
    expect(store.result(scorer, content(9))).toEqual({ reason: "truncated", error: "It ends." });
    expect(store.result(scorerOf(store, "other"), content(0))).toBeUndefined();
    expect([...store.pictures({ scorer })].map(({ path }) => path).sort()).toEqual(["/bad", ...paths].sort());
    const [first] = [...store.pictures({ scorer, features: true })].filter(({ path }) => path === stray);
    expect(first).toMatchObject({ path: stray, size: 9, result: score });
    expect(store.scorers.map(({ model, pictures, conditions }) => [model, pictures, conditions])).toEqual([
      ["k", 4, { of: "k" }],
      ["other", 0, { of: "other" }],
    ]);
    store.forget(["/bad"]);
    expect([store.files, store.file("/bad")]).toEqual([3, undefined]);
  });

  test("does not trust the time of a file that may change again within it", async () => {
    using store = await openStore(at("fresh.db"));
    store.noteFile("/a.jpg", { size: 9, changed: Date.now() * 1000 }, content(1));
    expect(store.file("/a.jpg")).toEqual({ size: 9, changed: undefined, content: content(1) });
    store.noteFile("/a.jpg", { size: 9, changed: (Date.now() - 3000) * 1000 }, content(1));
    expect(store.file("/a.jpg")!.changed).toBeNumber();
  });

  test("has a view for people with SQL", async () => {
    const view = new DatabaseSync(at("kept.db"), { readOnly: true });
    const rows = view.prepare("SELECT * FROM pictures WHERE path LIKE '%a.jpg'").all();
    view.close();
    expect(rows).toHaveLength(1);
    expect({ ...rows[0] }).toMatchObject({
      ...{ path: "/photos/a.jpg", size: 9, sha256: "00".repeat(32), model: "k", score: score.score, low: 1 / 3 },
      ...{ high: 50.1, typicality: "typical", sharpness: 0.1, width: 40, height: 30, error: null },
    });
  });

  test("is safe with two processes that write at once, from the first row on", async () => {
    const path = at("two.db");
    const writers = [0, 300].map((first) =>
      spawn(process.execPath, [writer, path, String(first), "600"], { stdio: ["ignore", "ignore", "pipe"] }),
    );
    const complaints = writers.map(() => "");
    for (const [i, { stderr }] of writers.entries()) stderr.on("data", (data) => (complaints[i] += data));
    const ends = await Promise.all(writers.map((child) => once(child, "exit")));
    expect(complaints).toEqual(["", ""]);
    expect(ends.map(([code]) => code)).toEqual([0, 0]);
    using store = await openStore(path);
    // 300 to 599 are of both.
    const pictures = [...store.pictures({ features: true })];
    expect(pictures).toHaveLength(900);
    for (const { size, result } of pictures) {
      if (!("score" in result)) throw new Error("a score is expected");
      expect([result.score, result.feature![0]]).toEqual([size / 7, size]);
    }
  });

  test("keeps every row that was written when its process is killed", async () => {
    const path = at("killed.db");
    const child = spawn(process.execPath, [writer, path, "0", "1000000"], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGKILL");
    expect((await once(child, "exit"))[1]).toBe("SIGKILL");
    using store = await openStore(path);
    const sizes = [...store.pictures({ features: true })].map(({ size, result }) => {
      expect((result as StoredScore).feature![0]).toBe(size);
      return size;
    });
    expect(sizes.length).toBeGreaterThan(10);
    expect(sizes.sort((a, b) => a - b)).toEqual(sizes.map((_, i) => i));
  });
});

describe("what is no store is refused in a sentence", () => {
  const refused = async (path: string) => {
    try {
      (await openStore(path)).close();
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
      return (error as Error).message;
    }
    throw new Error(`${path} was opened`);
  };

  test("a text, a picture, a folder, no folder", async () => {
    await writeFile(at("text.db"), "a text that is longer than the header of a database ".repeat(20));
    expect(await refused(at("text.db"))).toContain("text.db is no store of scores: name a new file");
    expect(await readFile(at("text.db"), "utf8")).toStartWith("a text");
    await mkdir(at("folder.db"));
    expect(await refused(at("folder.db"))).toContain("folder.db is a folder: name a file");
    expect(await refused(at("none/scores.db"))).toMatch(/^there is no folder .*none for the store .*: make it first$/);
    expect(await refused("")).toBe("a store needs the name of a file");
  });

  test("a database of something else stays as it is", async () => {
    const other = new DatabaseSync(at("other.db"));
    other.exec("CREATE TABLE mine (a)");
    other.close();
    const before = await readFile(at("other.db"));
    expect(await refused(at("other.db"))).toContain("is a database of something else and no store of scores");
    expect(await readFile(at("other.db"))).toEqual(before);
  });

  test.each([
    [storeVersion + 1, "a newer Acutance made it"],
    [0, "move it away to begin anew"],
  ])("of version %i", async (version, advice) => {
    const path = at(`version-${version}.db`);
    const other = new DatabaseSync(path);
    other.exec(`CREATE TABLE a (b); PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`);
    other.close();
    const message = await refused(path);
    expect(message).toContain(`is of version ${version}, this Acutance knows version ${storeVersion}: ${advice}`);
  });

  test("a damaged one", async () => {
    (await openStore(at("damaged.db"))).close();
    const bytes = await readFile(at("damaged.db"));
    bytes.fill(0x55, 100);
    await writeFile(at("damaged.db"), bytes);
    expect(await refused(at("damaged.db"))).toContain("is damaged");
  });

  test.skipIf(process.platform !== "linux")("where nobody may write", async () => {
    expect(await refused("/proc/scores.db")).toMatch(
      /the store \/proc\/scores.db cannot be (opened|written): give perm/,
    );
  });
});
