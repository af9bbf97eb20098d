import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { modelWords } from "../../cli/model-option.ts";
import { defaultModel } from "../../models/scoring/shipped-models.ts";
import { knownScores } from "../models/scoring/fixtures.ts";
import { costlyPictures } from "../models/service/costly.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;

let folder = "";
let model = "";
/** Scores of `small/0.png`, …. */
let expected: number[] = [];
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-score-"));
  const known = await knownScores(folder, 3);
  ({ model, expected } = known);
  await mkdir(inFolder("small"));
  for (const [i, bytes] of known.pictures.entries()) await writeFile(inFolder(`small/${i}.png`), bytes);
  await mkdir(inFolder("many"));
  // Enough for seconds of work.
  for (let i = 0; i < 4000; i++) await symlink("../small/0.png", inFolder(`many/${String(i).padStart(4, "0")}.png`));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the command in the folder. */
function score(
  words: readonly string[],
  { input, command = process.execPath, before = [] as string[] } = {} as {
    input?: Uint8Array;
    command?: string;
    before?: string[];
  },
) {
  const { status, stdout, stderr } = spawnSync(command, [...before, main, "score", "--model", model, ...words], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    ...(input && { input }),
  });
  return { status, stdout, stderr };
}

const rowsOf = (csv: string) => csv.trim().split("\n").slice(1);

describe("where the scores go", () => {
  test.each([
    ["nowhere/scores.csv", "there is no folder nowhere; make it first, or name another place with --out"],
    ["small", "it is a folder; name a file"],
    ["new/", "it is a folder; name a file"],
    ["small/0.png/scores.csv", "small/0.png is a file, not a folder"],
    [`${"long".repeat(70)}.csv`, "the name is too long"],
  ])("--out %s is refused before the model is opened", (out, why) => {
    const { status, stderr } = score(["small", "--out", out, "--model", "no-such-model"]);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`--out ${out}: ${why}`)]);
    expect(stderr).not.toContain("no-such-model");
  });

  test("a run that fails at its start leaves what is there, and nothing where nothing was", async () => {
    await writeFile(inFolder("before.csv"), "before");
    expect(score(["small", "--out", "before.csv", "--model", "no-such-model"]).status).toBe(1);
    expect(await readFile(inFolder("before.csv"), "utf8")).toBe("before");
    expect(score(["small", "--out", "after.csv", "--model", "no-such-model"]).status).toBe(1);
    expect(existsSync(inFolder("after.csv"))).toBe(false);
  });

  test("a link is written through, and no temporary file stays", async () => {
    await mkdir(inFolder("target"));
    for (const form of ["csv", "json"]) {
      await symlink(`target/scores.${form}`, inFolder(`link.${form}`));
      for (let i = 0; i < 2; i++) expect(score(["small", "--out", `link.${form}`]).status).toBe(0);
      expect(await readFile(inFolder(`target/scores.${form}`), "utf8")).toContain("small/0.png");
    }
    expect((await readdir(inFolder("target"))).sort()).toEqual(["scores.csv", "scores.json"]);
  });

  test.skipIf(!existsSync("/dev/full")).each([["--csv"], ["--json"]])(
    "a full disk is named, with what to do: %s",
    (form) => {
      const { status, stdout, stderr } = score(["small", form, "--out", "/dev/full"]);
      expect([status, stderr]).toEqual([
        1,
        expect.stringContaining("--out /dev/full: the disk is full; make room, or name another place"),
      ]);
      if (form === "--json") expect(JSON.parse(stdout).pictures).toHaveLength(3); // not lost
    },
  );

  test.each([[["--json", "--csv"]], [["--csv", "--out", "x.json"]], [["--json", "--out", "x.CSV"]]])(
    "%j contradict each other",
    (words) => {
      expect(score(["small", ...words]).status).toBe(2);
    },
  );
});

describe("a run that is ended", () => {
  /** Starts a long run and ends it once a picture is scored. */
  async function ended(words: string[], signal: NodeJS.Signals, out: string, pictures = ["many"]) {
    await rm(inFolder(out), { force: true });
    const child = spawn(process.execPath, [main, "score", "--model", model, ...pictures, "--out", out, ...words], {
      cwd: folder,
      stdio: ["pipe", "ignore", "pipe"],
    });
    let complaints = "";
    child.stderr.on("data", (data) => (complaints += data));
    const exit = once(child, "exit");
    const started = () =>
      out.endsWith(".csv") && !words.includes("--sort")
        ? existsSync(inFolder(out)) && readFile(inFolder(out), "utf8")
        : /scoring: [1-9]/.test(complaints);
    while (child.exitCode === null && !(await started())) await sleep(20);
    child.kill(signal);
    const [code, by] = await exit;
    return { code, by, complaints };
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s has written its rows and ends with %d", async (signal, status) => {
    const { code, complaints } = await ended([], signal, "ended.csv");
    expect(code).toBe(status);
    const rows = rowsOf(await readFile(inFolder("ended.csv"), "utf8"));
    expect(complaints).toContain(`interrupted: ${rows.length} of 4000 rows are written to ended.csv`);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThan(4000);
    for (const row of rows) expect(row).toMatch(/^many\/\d{4}\.png,\d/);
  });

  test("by force keeps the rows written so far", async () => {
    const { by } = await ended([], "SIGKILL", "killed.csv");
    expect(by).toBe("SIGKILL");
    expect(rowsOf(await readFile(inFolder("killed.csv"), "utf8")).length).toBeGreaterThan(0);
  });

  test("has its rows in JSON and in sorted CSV, which are written at the end", async () => {
    // Standard input is a picture that never comes whole: the run cannot end before the signal, however fast it is.
    const waiting = ["small", "-"];
    const [json, csv] = await Promise.all([
      ended([], "SIGINT", "ended.json", waiting),
      ended(["--sort"], "SIGINT", "sorted.csv", waiting),
    ]);
    expect([json.code, csv.code]).toEqual([130, 130]);
    const { interrupted, pictures } = JSON.parse(await readFile(inFolder("ended.json"), "utf8"));
    expect(interrupted).toBe(true);
    expect(pictures.length).toBeGreaterThan(0);
    expect(pictures.map(({ score }: { score: number }) => score)).toEqual(expected.slice(0, pictures.length));
    const sorted = rowsOf(await readFile(inFolder("sorted.csv"), "utf8")).map((row) => Number(row.split(",")[1]));
    expect(sorted.length).toBeGreaterThan(0);
    expect(sorted).toEqual(expected.slice(0, sorted.length).toSorted((a, b) => b - a));
  }, 120_000);

  test("by a reader that has seen enough is no failure", () => {
    const pipe = `"${process.execPath}" "${main}" score --model "${model}" many --csv | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const { stdout } = spawnSync("bash", ["-c", pipe], { cwd: folder, encoding: "utf8" });
    const lines = stdout.trim().split("\n");
    expect([lines.length, lines[2]]).toEqual([3, "0"]);
  });
});

describe("which pictures are scored", () => {
  test("each once, however it is named, in the order given", () => {
    const words = ["small/1.png", "./small/1.png", inFolder("small/1.png"), "small/../small/0.png", "small"];
    const { status, stdout } = score(["--csv", ...words]);
    expect(status).toBe(0);
    expect(rowsOf(stdout).map((row) => row.split(",").slice(0, 2))).toEqual(
      [
        ["small/1.png", 1],
        ["small/../small/0.png", 0],
        ["small/2.png", 2],
      ].map(([path, i]) => [path as string, String(expected[i as number])]),
    );
  });

  test("a picture by standard input, and one whose name begins with a dash", async () => {
    await copyFile(inFolder("small/1.png"), inFolder("-1.png"));
    const { status, stdout } = score(["--csv", "-", "--", "-1.png"], {
      input: await readFile(inFolder("small/0.png")),
    });
    expect(status).toBe(0);
    expect(rowsOf(stdout).map((row) => row.split(",").slice(0, 2))).toEqual([
      ["-", String(expected[0])],
      ["-1.png", String(expected[1])],
    ]);
  });

  test("what might be a picture and is left out is a row, the rest is counted; exit code 1", async () => {
    await mkdir(inFolder("mixed/sub"), { recursive: true });
    await copyFile(inFolder("small/0.png"), inFolder("mixed/IMG_0001"));
    await symlink("nowhere.jpg", inFolder("mixed/broken.jpg"));
    await writeFile(inFolder("mixed/a.jxl"), Buffer.from([0xff, 0x0a, 0, 0]));
    await writeFile(inFolder("mixed/notes.txt"), "notes");
    await writeFile(inFolder("mixed/\u001b[31mred.jpg"), "no picture");
    const { status, stdout, stderr } = score(["mixed"]);
    expect(status).toBe(1);
    expect(stderr).toContain("note: mixed: passed over 1 file that is no picture (notes.txt)");
    expect(stderr).toContain("3 of 4 pictures could not be scored");
    expect(stdout).toContain("mixed/broken.jpg");
    expect(stdout).toContain("JPEG XL");
    expect(stdout).toContain("\\x1B[31mred.jpg");
    expect(stdout).not.toContain("\u001b");
    const { pictures } = JSON.parse(score(["mixed", "--json"]).stdout);
    expect(pictures.map(({ path }: { path: string }) => path)).toEqual([
      "mixed/\u001b[31mred.jpg",
      "mixed/IMG_0001",
      "mixed/a.jxl",
      "mixed/broken.jpg",
    ]);
    for (const { path, error = "" } of pictures) expect(error).not.toContain(path); // said once
  });

  test.skipIf(process.platform !== "linux")(
    "names that are no UTF-8, in a folder, by an argument and by a glob",
    async () => {
      await mkdir(inFolder("latin1"));
      const name = Buffer.concat([Buffer.from(`${folder}/latin1/`), Buffer.from([0xe4]), Buffer.from(".png")]);
      await writeFile(name, await readFile(inFolder("small/2.png")));
      // A shell, because the arguments of spawn are strings.
      const run = `"${process.execPath}" "${main}" score --model "${model}" --json`;
      for (const word of ["latin1", "\"$(printf 'latin1/\\344.png')\"", "'lat*/*'"]) {
        const { status, stdout } = spawnSync("bash", ["-c", `${run} ${word}`], { cwd: folder, encoding: "utf8" });
        expect(status).toBe(0);
        expect(JSON.parse(stdout).pictures).toMatchObject([{ path: "latin1/\\xE4.png", score: expected[2] }]);
      }
    },
  );

  test.skipIf(process.platform !== "linux")("a folder without permission is a row, also below a glob", async () => {
    await mkdir(inFolder("tree/locked"), { recursive: true });
    await copyFile(inFolder("small/0.png"), inFolder("tree/a.png"));
    await chmod(inFolder("tree/locked"), 0);
    await chmod(folder, 0o755);
    const isRoot = process.getuid!() === 0;
    const as = isRoot
      ? { command: "setpriv", before: ["--reuid", "65534", "--regid", "65534", "--clear-groups", process.execPath] }
      : {};
    for (const word of ["tree", "tr*/**/*.png"]) {
      const { status, stdout } = score([word, "--json"], as);
      const { pictures } = JSON.parse(stdout);
      expect(status).toBe(1);
      expect(pictures).toMatchObject([
        { path: "tree/a.png", score: expected[0] },
        { path: "tree/locked", error: expect.stringContaining("permission denied") },
      ]);
    }
  });
});

test("the default model goes by its short name, another one by its file", () => {
  expect([modelWords(defaultModel), modelWords("mine.safetensors")]).toEqual(["livec-v2", "mine.safetensors"]);
});

test("what does not fit the device is a row beside the others, in the words of the command line", async () => {
  await mkdir(inFolder("sizes"));
  await copyFile(inFolder("small/0.png"), inFolder("sizes/a.png"));
  await writeFile(inFolder("sizes/b.png"), await costlyPictures["screenshot 1080 x 25,000"]!());
  for (const [name, width, height] of [
    ["c.png", 1, 30_000],
    ["d.png", 30_000, 1],
    ["e.png", 5_500, 5_500],
  ] as const) {
    const create = { width, height, channels: 3, background: "teal" } as const;
    await writeFile(inFolder(`sizes/${name}`), await sharp({ create }).png().toBuffer());
  }
  const { status, stdout, stderr } = score(["sizes", "--csv", "--memory", "64MiB", "--max-pixels", "30000000"]);
  const rows = rowsOf(stdout);
  expect(rows.map((row) => /^sizes\/.\.png,\d/.test(row))).toEqual([true, false, true, true, false]);
  expect(rows[1]).toContain("Its 1080 x 25000 pixels");
  expect(rows[4]).toContain("30,250,000 pixels; the limit is 30,000,000. Raise --max-pixels");
  expect(stderr).toContain("2 of 5 pictures could not be scored");
  expect(status).toBe(1);
});
