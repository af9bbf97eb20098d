import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore } from "../../models/store/index.ts";
import { knownScores } from "../models/scoring/fixtures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;

let folder = "";
let model = "";
let expected: number[] = [];
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-score-store-"));
  const known = await knownScores(folder, 6);
  ({ model, expected } = known);
  await mkdir(at("photos/sub"), { recursive: true });
  for (const [i, bytes] of known.pictures.entries())
    await writeFile(at(i < 4 ? `photos/${i}.png` : `photos/sub/${i}.png`), bytes);
  await writeFile(at("photos/sub/bad.jpg"), "no picture");
  // Files of some age, as photographs are: their times tell whether they have changed.
  const old = new Date(Date.now() - 3_600_000);
  for (const name of ["0.png", "1.png", "2.png", "3.png", "sub/4.png", "sub/5.png", "sub/bad.jpg"])
    await utimes(at(`photos/${name}`), old, old);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const environment = { ...process.env, NO_COLOR: "1" };

function score(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "score", "--model", model, ...words], {
    cwd: folder,
    encoding: "utf8",
    env: environment,
  });
  return { status, stdout, stderr };
}

const pictures = (stdout: string) =>
  JSON.parse(stdout).pictures as { path: string; score: number; error?: string; [name: string]: unknown }[];

describe("--store", () => {
  test("a second run takes all from the store, to the bit, and so do moved and copied files", async () => {
    const first = score("photos", "--json", "--details", "--store", "s.db");
    expect([first.status, first.stderr]).toEqual([1, expect.stringContaining("0 of 7 pictures were in the store")]);
    expect(pictures(first.stdout).flatMap((row) => (row.error ? [] : [row.score]))).toEqual(expected);
    const second = score("photos", "--json", "--details", "--store", "s.db");
    expect(second.stderr).toContain("7 of 7 pictures were in the store");
    expect(second.stdout).toBe(first.stdout);
    expect(second.status).toBe(1);
    await mkdir(at("moved"));
    await rename(at("photos/0.png"), at("moved/new-name.png"));
    await copyFile(at("photos/1.png"), at("moved/copy.png"));
    const third = score("photos", "moved", "--json", "--store", "s.db");
    expect(third.stderr).toContain("8 of 8 pictures were in the store");
    const byName = new Map(pictures(third.stdout).map((row) => [row.path, row.score]));
    expect([byName.get("moved/new-name.png"), byName.get("moved/copy.png")]).toEqual([expected[0], expected[1]]);
    await rename(at("moved/new-name.png"), at("photos/0.png"));
  });

  test("what changed is scored again, and what another model or option sees is kept apart", async () => {
    await copyFile(at("photos/3.png"), at("moved/copy.png"));
    const changed = score("moved/copy.png", "photos/2.png", "--json", "--store", "s.db");
    expect(pictures(changed.stdout).map((row) => row.score)).toEqual([expected[3]!, expected[2]!]);
    await appendFile(at("moved/copy.png"), "bytes after the end");
    expect(score("moved/copy.png", "--store", "s.db").stderr).toContain("0 of 1 pictures were in the store");
    for (const option of [["--tiles", "4"], ["--no-reasons"], ["--strictness", "error"], ["--max-pixels", "9999"]]) {
      expect(score("photos/2.png", "--store", "s.db", ...option).stderr).toContain("0 of 1 pictures were in the store");
      expect(score("photos/2.png", "--store", "s.db", ...option).stderr).toContain("1 of 1 pictures were in the store");
    }
    using store = await openStore(at("s.db"));
    expect(store.scorers.map(({ model }) => model)).toEqual(Array(5).fill("small"));
    const [first] = [...store.pictures({ scorer: 1, features: true })];
    if (!("score" in first!.result)) throw new Error("a score is expected");
    expect([first!.path, first!.result.score, first!.result.feature!.length]).toEqual([
      at("moved/copy.png"),
      expect.any(Number),
      64,
    ]);
  });

  test("a run that is killed has lost nothing that it wrote, and the next goes on", async () => {
    await mkdir(at("many"));
    for (let i = 0; i < 400; i++) {
      // Each of its own content.
      await copyFile(at("photos/0.png"), at(`many/${i}.png`));
      await appendFile(at(`many/${i}.png`), String(i));
    }
    const words = ["score", "--model", model, "many", "--csv", "--out", "many.csv", "--store", "killed.db"];
    const child = spawn(process.execPath, [main, ...words], { cwd: folder, env: environment, stdio: "ignore" });
    const exit = once(child, "exit");
    const rows = () =>
      readFile(at("many.csv"), "utf8").then(
        (text) => text.trim().split("\n").slice(1),
        () => [],
      );
    while (child.exitCode === null && (await rows()).length < 20) await sleep(10);
    child.kill("SIGKILL");
    expect((await exit)[1]).toBe("SIGKILL");
    const written = (await rows()).length;
    const next = score("many", "--csv", "--store", "killed.db");
    const [, stored] = /(\d+) of 400 pictures were in the store/.exec(next.stderr)!;
    expect(Number(stored)).toBeGreaterThanOrEqual(written);
    expect(next.stdout.trim().split("\n")).toHaveLength(401);
    expect(score("many", "--csv", "--store", "killed.db").stderr).toContain("400 of 400 pictures were in the store");
  });

  test("two runs at once share one", async () => {
    const words = [main, "score", "--model", model, "photos", "--json", "--store", "both.db"];
    const runs = [0, 1].map(() =>
      spawn(process.execPath, words, { cwd: folder, env: environment, stdio: ["ignore", "pipe", "ignore"] }),
    );
    const texts = ["", ""];
    for (const [i, { stdout }] of runs.entries()) stdout.on("data", (data) => (texts[i] += data));
    await Promise.all(runs.map((run) => once(run, "close")));
    for (const text of texts) expect(pictures(text).flatMap((row) => (row.error ? [] : [row.score]))).toEqual(expected);
    using store = await openStore(at("both.db"));
    expect([...store.pictures()]).toHaveLength(7);
  });

  test("what is no store is refused before a model is opened", async () => {
    await writeFile(at("no-store.db"), "a text".repeat(100));
    const { status, stderr } = score("photos", "--store", "no-store.db");
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("no-store.db is no store of scores: name a new file"),
    ]);
    expect(score("photos", "--store", "s.db", "--method", "niqe", "--parameters", "x").status).not.toBe(0);
  });
});

describe("pictures are chosen", () => {
  const paths = (...words: string[]) => {
    const { stdout, stderr, status } = score("photos", "--json", "--store", "s.db", ...words);
    // The one that cannot be read is not chosen, and not lost.
    expect([status, stderr]).toEqual([1, expect.stringContaining("left out: photos/sub/bad.jpg: ")]);
    return pictures(stdout).map(({ path }) => path.replace(/.*\/(\d).png/, "$1"));
  };
  const order = () => [0, 1, 2, 3, 4, 5].toSorted((a, b) => expected[b]! - expected[a]!).map(String);

  test("the best, the worst, and those between", () => {
    expect(paths("--best", "2")).toEqual(order().slice(0, 2));
    expect(paths("--best", "34%")).toEqual(order().slice(0, 3));
    expect(paths("--worst", "2")).toEqual(order().toReversed().slice(0, 2));
    const middle = expected.toSorted((a, b) => a - b)[3]!;
    expect(paths("--min", String(middle)).sort()).toEqual(order().slice(0, 3).sort());
    expect(paths("--max", String(middle)).sort()).toEqual(order().slice(2).sort());
    expect(paths("--query", "percentile > 60 and width < 1000 and sharpness >= 0 and size > 0").sort()).toEqual(
      order().slice(0, 2).sort(),
    );
    expect(paths("--query", "path ~ '?.png'", "--best", "1")).toEqual(order().slice(0, 1));
  });

  test("percentiles are places among all pictures", () => {
    const { stdout } = score("photos", "--json", "--percentiles", "--best", "2");
    expect(pictures(stdout).map((row) => row["percentile"])).toEqual([(100 * 5.5) / 6, (100 * 4.5) / 6]);
    const csv = score("photos", "--csv", "--percentiles", "--details").stdout.split("\n");
    expect(csv[0]).toBe(
      "path,score,low,high,standardDeviation,confidence,percentile,size,width,height,sharpness,reasons,error",
    );
    expect(csv).toHaveLength(9);
  });

  test.each([
    [["--best", "0"], "expected a number of pictures such as 50, or a share of them such as 10%"],
    [["--worst", "101%"], "expected a number of pictures"],
    [["--best", "1", "--worst", "1"], "cannot be used with"],
    [["--min", "3", "--max", "2"], "--min 3 is more than --max 2"],
    [["--query", "scor < 3"], "there is no field scor"],
    [["--watch", "--sort"], "cannot be used with"],
    [["--watch", "--query", "percentile < 3"], "is known when all are there"],
  ])("%j is refused", (words, says) => {
    const { status, stderr } = score("photos", ...words);
    expect(stderr.replaceAll("\n", " ")).toContain(says);
    expect(status).not.toBe(0);
  });
});

describe("--watch", () => {
  test("scores what is there, then what comes whole, in the store and as lines", async () => {
    await mkdir(at("inbox/deep"), { recursive: true });
    await copyFile(at("photos/0.png"), at("inbox/0.png"));
    await symlink("..", at("inbox/deep/loop"));
    const words = [main, "score", "--model", model, "inbox", "--watch", "--json", "--store", "watch.db"];
    const child = spawn(process.execPath, words, { cwd: folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    const exit = once(child, "exit");
    let [out, complaints] = ["", ""];
    child.stdout.on("data", (data) => (out += data));
    child.stderr.on("data", (data) => (complaints += data));
    const lines = () =>
      out
        .trim()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { path: string; score: number });
    const until = async (count: number) => {
      const end = performance.now() + 60_000;
      while (lines().length < count && child.exitCode === null && performance.now() < end) await sleep(20);
      return lines().slice(count - 1);
    };
    expect(await until(1)).toMatchObject([{ path: "inbox/0.png", score: expected[0] }]);
    // Renamed into place.
    await copyFile(at("photos/1.png"), at("inbox/deep/.1.tmp"));
    await rename(at("inbox/deep/.1.tmp"), at("inbox/deep/1.png"));
    expect(await until(2)).toMatchObject([{ path: "inbox/deep/1.png", score: expected[1] }]);
    // Written slowly, in a folder that comes as well.
    await mkdir(at("inbox/new"));
    const bytes = await readFile(at("photos/2.png"));
    for (let i = 0; i < 4; i++) {
      await appendFile(at("inbox/new/2.png"), bytes.subarray((i * bytes.length) / 4, ((i + 1) * bytes.length) / 4));
      await sleep(400);
    }
    expect(await until(3)).toMatchObject([{ path: "inbox/new/2.png", score: expected[2] }]);
    // Changed in place, and removed.
    await copyFile(at("photos/3.png"), at("inbox/0.png"));
    expect(await until(4)).toMatchObject([{ path: "inbox/0.png", score: expected[3] }]);
    await rm(at("inbox/new"), { recursive: true });
    while (!complaints.includes("2.png is no more") && child.exitCode === null) await sleep(20);
    child.kill("SIGINT");
    expect((await exit)[0]).toBe(130);
    expect(complaints).toContain("ended: 4 rows are written");
    expect(lines()).toHaveLength(4);
    using store = await openStore(at("watch.db"));
    expect([...store.pictures()].map(({ path }) => path)).toEqual([at("inbox/0.png"), at("inbox/deep/1.png")]);
  });

  test("takes folders alone", () => {
    const { status, stderr } = score("photos/0.png", "--watch");
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining("--watch takes folders, and photos/0.png is no folder"),
    ]);
  });
});
