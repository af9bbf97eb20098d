import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { pixels } from "../models/classic/pictures.ts";
import { acutanceIn } from "./acutance-in.ts";

let folder = "";
const inFolder = (name: string) => join(folder, name);

/** Two references, one of them larger than degrade keeps. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-measure-"));
  await mkdir(inFolder("photos"));
  const write = (name: string, width: number, height: number) =>
    sharp(pixels("waves", height, width), { raw: { width, height, channels: 3 } })
      .png()
      .toFile(inFolder(name));
  await write("photos/a.png", 300, 200);
  await write("photos/b.png", 100, 90);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const acutance = acutanceIn(() => folder);

type Row = Record<string, string>;
const rowsOf = (csv: string): Row[] => parse(csv, { columns: true });

test("what degrade wrote is measured against the references, reduced as the copies were", async () => {
  const kinds = ["--kinds", "gaussian-blur", "--levels", "1,5", "--per-picture", "all", "--longer-side", "240"];
  expect(acutance("data", "degrade", "photos", "--out", "degraded", ...kinds).status).toBe(0);
  const words = ["data", "measure", "degraded", "--references", "photos", "--out", "measures.csv"];
  const measured = acutance(...words);
  expect(measured).toMatchObject({ status: 0, stdout: "" });
  const rows = rowsOf(await readFile(inFolder("measures.csv"), "utf8"));
  expect(rows.map(({ reference, level }) => `${reference} ${level}`)).toEqual([
    "a.png 1",
    "a.png 5",
    "b.png 1",
    "b.png 5",
  ]);
  for (const [mild, strong] of [rows.slice(0, 2), rows.slice(2)] as [Row, Row][]) {
    expect(Number(mild["psnr"])).toBeGreaterThan(Number(strong["psnr"]));
    expect(Number(mild["ssim"])).toBeGreaterThan(Number(strong["ssim"]));
    expect(Number(mild["gmsd"])).toBeLessThan(Number(strong["gmsd"]));
    // 240 x 160 and 100 x 90 pixels are too small.
    expect(mild["ms_ssim"]).toBe("");
  }
});

test("two folders, or a table with columns of one's own", async () => {
  await mkdir(inFolder("copies"));
  await sharp(inFolder("photos/a.png")).blur(2).png().toFile(inFolder("copies/a.png"));
  await copyFile(inFolder("photos/b.png"), inFolder("copies/b.png"));
  await copyFile(inFolder("photos/a.png"), inFolder("copies/c.png"));
  const byName = acutance("data", "measure", "copies", "--references", "photos", "--measures", "psnr,ms_ssim");
  expect(byName.status).toBe(1);
  const rows = rowsOf(byName.stdout);
  expect(rows.map(({ name }) => name)).toEqual(["a.png", "b.png", "c.png"]);
  expect(Object.keys(rows[0]!)).toEqual(["name", "reference", "psnr", "ms_ssim", "error"]);
  expect(Number(rows[0]!["ms_ssim"])).toBeGreaterThan(0.5);
  expect(rows[1]!["psnr"]).toBe("Infinity");
  expect(rows[2]!["error"]).toContain("Its reference c.png is not there");

  await writeFile(
    inFolder("pairs.csv"),
    "dist_img,ref_img,dmos\na.png,a.png,3\nc.png,a.png,4\nb.png,a.png,2\nc.png,b.png,1\n",
  );
  const table = ["--csv", "pairs.csv", "--reference-column", "ref_img", "--measures", "psnr"];
  const byTable = acutance("data", "measure", "copies", "--references", "photos", ...table);
  expect(byTable.status).toBe(1);
  const [a, same, other] = rowsOf(byTable.stdout);
  expect(a!["psnr"]).toBe(rows[0]!["psnr"]!);
  expect(same!["psnr"]).toBe("Infinity");
  expect(other!["error"]).toContain("it has 100 x 90 pixels, its reference 300 x 200");
  expect(byTable.stderr).toContain("left out: c.png (line 5): it is already on line 3");
});

test("wrong usage is told in the command's words", () => {
  expect(acutance("data", "measure", "copies")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("The folder of the references is needed; give it with --references"),
  });
  const { status, stderr } = acutance("data", "measure", "copies", "--references", "photos", "--measures", "vif");
  expect(status).toBe(2);
  expect(stderr).toContain('there is no measure "vif"; choose of psnr, ssim, ms_ssim, gmsd');
});
