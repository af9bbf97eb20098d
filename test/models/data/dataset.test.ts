import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  DatasetError,
  type DatasetOptions,
  loadDataset,
  loadFolder,
  ratedRows,
  scan,
  unratedRows,
} from "../../../models/data/index.ts";

let folder: string;
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-dataset-"));
  await mkdir(path("sub"));
  const jpeg = await sharp({ create: { width: 8, height: 6, channels: 3, background: "teal" } })
    .jpeg()
    .toBuffer();
  for (const name of ["a.jpg", "b.JPG", "c.jpeg", "sub/d.jpg", "sub/a.jpg", "e,f.jpg"])
    await writeFile(path(name), jpeg);
  await writeFile(path("broken.jpg"), jpeg.subarray(0, jpeg.length - 40));
  await writeFile(path("notes.txt"), "no picture");
});
afterAll(() => rm(folder, { recursive: true }));

async function load(csv: string, options: Partial<DatasetOptions> = {}) {
  await writeFile(path("scores.csv"), csv);
  return loadDataset({ folder, csv: path("scores.csv"), ...options });
}

async function failure(csv: string, options: Partial<DatasetOptions> = {}): Promise<string> {
  const error = await load(csv, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DatasetError);
  return (error as Error).message;
}

describe("columns", () => {
  test("recognised in any case and spelling", async () => {
    const headers = [
      "image_name,MOS,SD,scene,set",
      "Image name,Quality,std,ref,Split",
      "FILE,score,std_dev,Group,subset",
    ];
    for (const header of headers) {
      const { rows } = await load(`${header}\na.jpg,3.5,0.5,park,training\n`);
      expect(rows).toEqual([
        { name: "a.jpg", path: path("a.jpg"), mos: 3.5, sd: 0.5, group: "park", split: "training" },
      ]);
    }
  });

  test("given by option, in any case; false leaves one out", async () => {
    const csv = "id,mos,naturalness,std\na.jpg,1,4.5,0.1\n";
    const { rows, columns } = await load(csv, { columns: { name: "ID", mos: "naturalness", sd: false } });
    expect(rows).toEqual([{ name: "a.jpg", path: path("a.jpg"), mos: 4.5 }]);
    expect(columns).toEqual({ name: "id", mos: "naturalness" });
    const unrated = await load("file\na.jpg\n", { columns: { mos: false } });
    expect(unrated.rows).toHaveLength(1);
    expect(unrated.range).toBeUndefined();
  });

  test("not recognised: the columns found and the option to use", async () => {
    const noName = await failure("id,mos\na.jpg,1\n");
    expect(noName).toContain('"id", "mos"');
    expect(noName).toContain("columns.name");
    expect(await failure("file,value\na.jpg,1\n")).toContain("columns.mos");
    expect(await failure("file,mos\na.jpg,1\n", { columns: { sd: "spread" } })).toContain('columns.sd names "spread"');
  });

  test("DMOS is taken with a warning", async () => {
    const { warnings } = await load("dist_name,dmos\na.jpg,4.5\nb.jpg,2\n", { range: [1, 5] });
    expect(warnings.join(" ")).toContain("the other way");
  });
});

describe("CSV dialects", () => {
  const expected = [
    ["a.jpg", 1.5],
    ["e,f.jpg", 2.5],
  ];
  const dialects: Record<string, string | Uint8Array> = {
    "byte order mark and CRLF": '\ufefffile,mos\r\na.jpg,1.5\r\n\r\n"e,f.jpg",2.5\r\n',
    "semicolons and decimal commas": "file;mos\na.jpg;1,5\ne,f.jpg;2,5",
    tabs: "file\tmos\na.jpg\t1.5\ne,f.jpg\t 2.5 \n",
    "quoted header with commas": '"file";"mos";"a,b,c,d"\na.jpg;1.5;\ne,f.jpg;2.5;',
    "UTF-16": Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("file\tmos\na.jpg\t1.5\ne,f.jpg\t2.5", "utf16le")]),
  };
  for (const [name, csv] of Object.entries(dialects)) {
    test(name, async () => {
      const { rows, problems } = await load(csv as string);
      expect(rows.map((row) => [row.name, row.mos!])).toEqual(expected as [string, number][]);
      expect(problems).toEqual([]);
    });
  }

  test("a malformed line is reported, the others are read", async () => {
    const { rows, problems } = await load('file,mos\na.jpg,1\n"b.JPG"x,2,"3\nc.jpeg,3\n');
    expect(rows.map((row) => row.name)).toEqual(["a.jpg", "c.jpeg"]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ kind: "line", line: 3 });
  });
});

describe("rows", () => {
  test("bad ones are reported with their line and left out", async () => {
    const { rows, problems } = await load(
      "file,mos\na.jpg,1\nabsent.jpg,2\nb.JPG,many\na.jpg,3\n,4\nc.jpeg,NaN\nsub/d.jpg,5e1\ne.jpg\n",
    );
    expect(rows.map((row) => row.name)).toEqual(["a.jpg", "sub/d.jpg"]);
    expect(problems.map(({ kind, line, name }) => [kind, line!, name])).toEqual([
      ["missing", 3, "absent.jpg"],
      ["mos", 4, "b.JPG"],
      ["duplicate", 5, "a.jpg"],
      ["name", 6, ""],
      ["mos", 7, "c.jpeg"],
      ["missing", 9, "e.jpg"],
    ]);
    expect(problems[2]!.detail).toContain("line 2");
  });

  test("names are found in another case, without extension, in a subfolder, by percent escapes; never outside", async () => {
    const { rows, problems } = await load("file,mos\nB.jpg,1\nc,2\nd.jpg,3\nA.jpg,4\n../a.jpg,5\nsub/../e%2Cf.jpg,6\n");
    expect(rows.map((row) => row.path)).toEqual([...["b.JPG", "c.jpeg", "sub/d.jpg", "e,f.jpg"].map(path)]);
    expect(problems.map((problem) => problem.name)).toEqual(["A.jpg", "../a.jpg"]);
    expect(problems[0]!.detail).toContain("several pictures");
    const absolute = await load(`file,mos\n${path("a.jpg")},1\n`);
    expect(absolute.rows[0]!.path).toBe(path("a.jpg"));
  });

  test("an empty MOS is an unrated row", async () => {
    const { rows, warnings } = await load("file,mos\na.jpg,1\nb.JPG,\nc.jpeg,4\n");
    expect(ratedRows(rows).map((row) => row.mos)).toEqual([1, 4]);
    expect(unratedRows(rows).map((row) => row.name)).toEqual(["b.JPG"]);
    expect(warnings.join(" ")).toContain("1 rows have an empty");
  });

  test("excluded rows are counted, not reported", async () => {
    const csv = "file,mos,part\na.jpg,1,practice\nb.JPG,2,train\nc.jpeg,3,test\n";
    const { rows, excluded, problems } = await load(csv, { exclude: { column: "Part", value: ["practice", "test"] } });
    expect([rows.length, excluded, problems.length]).toEqual([1, 2, 0]);
    expect(await failure(csv, { exclude: { column: "stage", value: "x" } })).toContain("file, mos, part");
    expect(await failure(csv, { exclude: { column: "part", value: ["practice", "train", "test"] } })).toContain(
      "3 excluded",
    );
  });

  test("nothing left is an error that shows the first problem", async () => {
    expect(await failure("file,mos\nx.jpg,1\ny.jpg,2\n")).toContain("x.jpg: there is no such picture");
    expect(await failure("")).toContain("is empty");
    await expect(loadDataset({ folder, csv: path("none.csv") })).rejects.toThrow("none.csv cannot be read");
    await expect(loadDataset({ folder: path("nowhere"), csv: path("scores.csv") })).rejects.toThrow(DatasetError);
  });
});

describe("MOS range", () => {
  const csv = "file,mos\na.jpg,1.5\nb.JPG,4\nc.jpeg,6\n";
  test("nominal: kept, and values outside are problems", async () => {
    const { range, rangeSource, rows, problems, warnings } = await load(csv, { range: [1, 5] });
    expect([range, rangeSource, rows.length, warnings.length]).toEqual([[1, 5], "nominal", 2, 0]);
    expect(problems[0]!.detail).toContain("MOS 6 lies outside the range [1, 5]");
    await expect(load(csv, { range: [5, 1] })).rejects.toThrow("[5, 1]");
  });

  test("observed: with a warning", async () => {
    const { range, rangeSource, warnings } = await load(csv);
    expect([range, rangeSource]).toEqual([[1.5, 6], "observed"]);
    expect(warnings[0]).toContain("[1.5, 6]");
    const single = await load("file,mos\na.jpg,2\n");
    expect(single.range).toBeUndefined();
    expect(single.warnings[0]).toContain("Every MOS is 2");
  });
});

describe("folder", () => {
  test("every picture below it, sorted, unrated", async () => {
    const { rows } = await loadFolder(folder);
    expect(rows.map((row) => row.name)).toEqual([
      ...["a.jpg", "b.JPG", "broken.jpg", "c.jpeg", "e,f.jpg", "sub/a.jpg", "sub/d.jpg"],
    ]);
    expect(rows[6]!.path).toBe(path("sub/d.jpg"));
    expect((await loadFolder(folder, { recursive: false })).rows).toHaveLength(5);
    expect((await loadFolder(folder, { extensions: ["jpeg"] })).rows).toHaveLength(1);
  });

  test("none, absent, or a file", async () => {
    await expect(loadFolder(folder, { extensions: ["png"] })).rejects.toThrow("no picture");
    await expect(loadFolder(path("nowhere"))).rejects.toThrow(DatasetError);
    await expect(loadFolder(path("a.jpg"))).rejects.toThrow("is a file");
  });
});

describe("scan", () => {
  test("moves broken pictures to the problems and reports progress in order", async () => {
    const progress: number[] = [];
    const dataset = await scan(await loadFolder(folder), { onProgress: (done) => progress.push(done) });
    expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(dataset.rows).toHaveLength(6);
    expect(dataset.problems).toMatchObject([{ kind: "picture", name: "broken.jpg" }]);
  });

  test("no good picture is an error; an abort ends it", async () => {
    const only = path("only");
    await mkdir(only);
    await copyFile(path("broken.jpg"), join(only, "broken.jpg"));
    await expect(scan(await loadFolder(only))).rejects.toThrow("None of the 1 pictures");
    await expect(scan(await loadFolder(folder), { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
      "enough",
    );
  });
});

const shared = join(import.meta.dirname, "../../../../shared/data");
describe.skipIf(!existsSync(shared))("stored data sets (skipped without ../shared/data)", () => {
  test("LIVE In the Wild without its practice pictures", async () => {
    const dataset = await loadDataset({
      folder: join(shared, "livec"),
      csv: join(shared, "livec/livec.csv"),
      range: [0, 100],
      exclude: { column: "split5", value: "practice" },
    });
    expect([dataset.rows.length, dataset.excluded, dataset.problems.length]).toEqual([929, 7, 0]);
    expect(dataset.columns).toEqual({ name: "file", mos: "mos", sd: "std" });
    expect(dataset.rows.every((row) => existsSync(row.path))).toBe(true);
  });

  test("a folder of unrated photographs", async () => {
    expect((await loadFolder(join(shared, "unlabelled"))).rows).toHaveLength(1200);
  });
});
