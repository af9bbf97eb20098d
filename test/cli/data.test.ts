import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { blurredPictures } from "../models/training/pictures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
let folder = "";

function acutance(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: "utf8" });
  return { status, out: stdout, err: stderr };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-data-"));
  const rows = await blurredPictures(join(folder, "kadid", "images"), 4);
  const lines = rows.map(({ name }, i) => `${name},I0${i % 2}.png,${i + 1},0.5`);
  await writeFile(join(folder, "kadid", "dmos.csv"), `dist_img,ref_img,dmos,var\n${lines.join("\n")}\n`);
  await writeFile(
    join(folder, "split.csv"),
    `name,part\n${rows.map(({ name }, i) => `${name},${i % 3}`).join("\n")}\n`,
  );
  await mkdir(join(folder, "empty"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("acutance data", () => {
  test("list names every set with its scale and source", () => {
    const { status, out } = acutance("data", "list");
    expect(status).toBe(0);
    for (const name of "koniq spaq livec bid nnid cid2013 kadid kadis tid2013 flive".split(" ")) {
      expect(out).toMatch(new RegExp(`^${name} `, "m"));
    }
    const sets = JSON.parse(acutance("data", "list", "--json").out);
    expect(sets[0]).toMatchObject({ name: "koniq", size: 10_073, range: [1, 5], direction: "higher is better" });
  });

  test("inspect a known set: terminal, JSON and page; exit code 0 when sound", async () => {
    const known = ["data", "inspect", "--dataset", "kadid", "--data", "kadid"];
    const { status, out, err } = acutance(...known, "--html", "page.html");
    expect(err).toContain("list 4 pictures; the complete KADID-10k has 10125");
    expect(out).toContain("[1, 5] (nominal), higher is better");
    expect(out).toMatch(/1\.8 – 2\.2 +1 +█+/);
    expect(out).toContain("missing, broken or without a usable score: none");
    expect(await readFile(join(folder, "page.html"), "utf8")).toContain("<svg");
    const json = JSON.parse(acutance(...known, "--json").out);
    expect(json).toMatchObject({ pictures: 4, rated: 4, range: [1, 5], mos: { mean: 2.5 }, formats: { png: 4 } });
    expect(json.sound).toBe(status === 0);
  });

  test("exit code 1 when a split divides groups, or a picture is broken", async () => {
    const known = ["data", "inspect", "--dataset", "kadid", "--data", "kadid", "--json"];
    const divided = acutance(...known, "--split", "split.csv");
    expect(divided.status).toBe(1);
    expect(JSON.parse(divided.out).dividedGroups).toEqual(["I00.png", "I01.png"]);
    await writeFile(join(folder, "kadid", "images", "broken.png"), "no picture");
    await writeFile(join(folder, "scores.csv"), "file,mos\n0.png,1\nbroken.png,2\n");
    const broken = acutance("data", "inspect", "--data", "kadid/images", "--csv", "scores.csv", "--json");
    expect(broken.status).toBe(1);
    expect(JSON.parse(broken.out).problems[0]).toMatchObject({ kind: "picture", name: "broken.png" });
  });

  test("messages name the command line's options, and every line left out is named once and counted", async () => {
    const inspect = async (csv: string, ...more: string[]) => {
      await writeFile(join(folder, "asked.csv"), csv);
      return acutance("data", "inspect", "--data", "kadid/images", "--csv", "asked.csv", ...more);
    };
    expect((await inspect("id,mos\nx,1\n")).err).toContain("Say which one it is with --name-column.");
    expect((await inspect("file,value\n0.png,1\n")).err).toContain("Say which one it is with --mos-column.\n");
    expect((await inspect("file,mos\n0.png,1\n", "--sd-column", "spread")).err).toContain('--sd-column names "spread"');
    expect((await inspect("file,dmos\n0.png,1\n1.png,2\n")).err).toContain("set --lower-is-better");
    expect((await inspect("file,mos\n0.png,1\n", "--exclude", "part=x")).err).toContain("--exclude names the column");
    expect((await inspect("file,mos\nx.png,1\n")).err).toContain("is --data the right one?");
    const absent = Array.from({ length: 15 }, (_, i) => `absent${i}.png,1`).join("\n");
    const { err, status } = await inspect(`file;mos\n0.png;1,5\n1.png;2,5\n${absent.replaceAll(",", ";")}\n`);
    expect(status).toBe(1);
    expect(err).toContain("2 pictures, 15 left out");
    expect(err).toContain("left out: absent9.png (line 13): there is no such picture in kadid/images.");
    expect(err).toContain("left out: 5 more, no such picture: lines 14-18");
    expect(err.match(/absent9/g)).toHaveLength(1);
  });

  test("train takes a known set and keeps its groups together", async () => {
    const rows = await blurredPictures(join(folder, "grouped", "images"), 12);
    const lines = rows.map(({ name }, i) => `${name},I0${i % 4}.png,${1 + i / 3},0.5`);
    await writeFile(join(folder, "grouped", "dmos.csv"), `dist_img,ref_img,dmos,var\n${lines.join("\n")}\n`);
    const small = "--stages 1 --embedding 16 --levels 10 --resize 36 --crop 32 --stage-one-batch 3".split(" ");
    const epochs = "--stage-one-epochs 1 --stage-two-epochs 0 --ratio 2:1:1 --no-check --no-tune --out run".split(" ");
    const { status, err } = acutance("train", "cpl", "--dataset", "kadid", "--data", "grouped", ...small, ...epochs);
    expect(err).toContain("6 labelled, 3 unlabelled, 3 test pictures");
    expect(status).toBe(0);
    const part = new Map(
      (await readFile(join(folder, "run", "split.csv"), "utf8"))
        .split("\n")
        .map((line) => line.split(",") as [string, string]),
    );
    rows.forEach(({ name }, i) => {
      expect(part.get(name)).toBe(part.get(rows[i % 4]!.name)!);
    });
    const inspected = acutance(
      "data",
      "inspect",
      "--dataset",
      "kadid",
      "--data",
      "grouped",
      "--split",
      "run/split.csv",
      "--json",
    );
    expect(JSON.parse(inspected.out)).toMatchObject({
      dividedGroups: [],
      parts: { labelled: 6, unlabelled: 3, test: 3 },
    });
  }, 120_000);

  test("degrade writes copies, says what it could not read, and keeps what is there", async () => {
    const words = [
      "data",
      "degrade",
      "grouped/images",
      "--out",
      "degraded",
      "--kinds",
      "jpeg,darken",
      "--per-picture",
      "all",
    ];
    const first = acutance(...words, "--levels", "2,4");
    expect(first.err).toBe(first.err.replace("left out", ""));
    expect(first.out).toContain("48 degraded pictures in degraded, 0 of them from before");
    expect(first.status).toBe(0);
    await writeFile(join(folder, "grouped", "images", "broken.png"), "no picture");
    const second = acutance(...words, "--levels", "2,4");
    expect(second.out).toContain("48 degraded pictures in degraded, 48 of them from before");
    expect(second.err).toContain("left out: broken.png");
    expect(second.status).toBe(1);
  });

  test.each([
    [["data", "degrade", "kadid"], 2, "--out"],
    [["data", "degrade", "kadid", "--out", "x", "--kinds", "rain"], 2, "gaussian-blur"],
    [["data", "degrade", "empty", "--out", "x"], 1, "no picture"],
    [["data", "inspect", "--data", "kadid"], 2, "--data and --dataset"],
    [["data", "inspect", "--data", "kadid", "--dataset", "kadid10k"], 2, "koniq"],
    [["train", "cpl", "--data", "kadid", "--dataset", "kadid", "--csv", "scores.csv"], 2, "--csv"],
    [["evaluate", "--model", "x", "--dataset", "kadid"], 2, "--data and --csv are needed"],
    [["train", "cpl", "--data", "empty", "--dataset", "livec"], 1, "live.ece.utexas.edu"],
  ])("%j", (args, status, message) => {
    const result = acutance(...args);
    expect(result.err).toContain(message);
    expect(result.status).toBe(status);
    expect(result.err).not.toContain("    at ");
  });

  test("degrade --kadid writes a set that inspect opens; sheet shows distortions by levels in one picture", async () => {
    const made = acutance(
      "data",
      "degrade",
      "kadid/images",
      "--out",
      "made",
      "--kadid",
      "--kinds",
      "mean-shift,jpeg2000",
    );
    expect(made.out).toContain("degraded pictures in made, 0 of them from before");
    expect(await readFile(join(folder, "made", "kadid.csv"), "utf8")).toContain("I01_09_05.png,I01.png,9,jpeg2000,5");
    const inspected = acutance("data", "inspect", "--dataset", "kadid", "--data", "made", "--json");
    expect(JSON.parse(inspected.out)).toMatchObject({ pictures: 40, rated: 0 });
    const both = acutance("data", "degrade", "kadid/images", "--out", "other", "--kadid", "--ranked");
    expect(both.status).toBe(2);
    expect(both.err).toContain("'--kadid' cannot be used with option '--ranked'");

    const sheet = ["data", "sheet", "--side", "32", "--kinds", "mean-shift", "brighten"];
    expect(acutance(...sheet, "--out", "sheet.png", "kadid/images/0.png")).toMatchObject({ status: 0 });
    const { width, height, format } = await sharp(join(folder, "sheet.png")).metadata();
    expect([width! > 2 * 6 * 32, height! > 32, format]).toEqual([true, true, "png"]);
    const small = acutance("data", "sheet", "--side", "3200", "--out", "sheet.png", "kadid/images/0.png");
    expect([small.status, small.err]).toEqual([1, expect.stringContaining("give a larger picture")]);
  });
});
