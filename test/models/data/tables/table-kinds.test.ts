import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { DatasetError, type DatasetOptions, loadDataset } from "../../../../models/data/index.ts";
import { xlsx } from "./xlsx.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-kinds-"));
  const jpeg = await sharp({ create: { width: 8, height: 6, channels: 3, background: "teal" } })
    .jpeg()
    .toBuffer();
  for (const name of [
    "a.jpg",
    "b.jpg",
    "c, d.jpg",
    "Übung.jpg",
    "the “big” cat.jpg",
    "it's.jpg",
    "two  words.jpg",
    "#1.jpg",
  ])
    await writeFile(join(folder, name), jpeg);
  await mkdir(join(folder, "csv"));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(csv: string | Uint8Array, options: Partial<DatasetOptions> = {}, name = "scores.csv") {
  const path = join(folder, "csv", name);
  await writeFile(path, csv);
  return loadDataset({ folder, csv: path, ...options });
}

const scores = async (csv: string | Uint8Array, options: Partial<DatasetOptions> = {}) => {
  const { rows, problems } = await load(csv, options);
  expect(problems).toEqual([]);
  return Object.fromEntries(rows.map(({ name, mos }) => [name, mos]));
};

const failure = (csv: string | Uint8Array, options: Partial<DatasetOptions> = {}, name?: string) =>
  load(csv, options, name).then(
    () => {
      throw new Error("it was read");
    },
    (error: Error) => {
      expect(error).toBeInstanceOf(DatasetError);
      return error.message;
    },
  );

const utf16 = (text: string, bigEndian: boolean, mark: boolean) => {
  const bytes = Buffer.from((mark ? "\ufeff" : "") + text, "utf16le");
  return bigEndian ? bytes.swap16() : bytes;
};

const two = { "a.jpg": 1.5, "b.jpg": 2.5 };

describe("dialects that are read right", () => {
  const lines = (...texts: string[]) => texts.join("\n");
  const kinds: Record<string, string | Uint8Array> = {
    "sep= with semicolons": "sep=;\r\nfile;mos\r\na.jpg;1,5\r\nb.jpg;2,5\r\n",
    "sep= quoted, with bars": '"sep=|"\nfile|mos\na.jpg|1.5\nb.jpg|2.5\n',
    "sep= with an unusual delimiter": "SEP=~\nfile~mos\na.jpg~1.5\nb.jpg~2.5\n",
    "sep=\\t": "sep=\\t\nfile\tmos\na.jpg\t1.5\nb.jpg\t2.5\n",
    "a mark before sep=": "\ufeffsep=,\nfile,mos\na.jpg,1.5\nb.jpg,2.5",
    "a blank before quotes": '"file", "mos"\n"a.jpg", "1.5"\n"b.jpg" , "2.5" \n',
    "a tab before quotes": '"file",\t"mos"\n"a.jpg",\t"1.5"\n"b.jpg",\t"2.5"\n',
    bars: "file | mos\na.jpg | 1.5\nb.jpg | 2.5",
    "several blanks": "file        mos\na.jpg       1.5\nb.jpg        2.5  \n",
    "one blank": "file mos\na.jpg 1.5\nb.jpg 2.5\n",
    "tabs and blanks": "file\t mos\na.jpg \t\t1.5\nb.jpg\t2.5\n",
    "carriage returns only": "file,mos\ra.jpg,1.5\rb.jpg,2.5\r",
    "mixed ends of lines": "file,mos\r\na.jpg,1.5\rb.jpg,2.5\n\n",
    "doubled carriage returns": "file,mos\r\r\na.jpg,1.5\r\r\nb.jpg,2.5\r\r\n",
    "single quotes": "'file','mos'\n'a.jpg','1.5'\n'b.jpg','2.5'\n",
    "typographic quotes": "“file”,“mos”\n“a.jpg”,“1.5”\n„b.jpg“,«2.5»\n",
    "each line in quotes": lines('"file,mos"', '"a.jpg,1.5"', '"b.jpg,""2.5"""'),
    "quotes within quotes": lines("file,mos", '"""a.jpg""",1.5', 'b.jpg,"2.5"'),
    "texts as formulas": lines("file,mos", '="a.jpg",="1.5"', '="b.jpg",2.5'),
    "a title and blank lines above": lines("", "Study of 2020,", ",,", "file,mos", "a.jpg,1.5", "b.jpg,2.5"),
    "comments above and below": lines(
      "# ratings, of 2020",
      "file,mos",
      "a.jpg,1.5",
      "# b again",
      "b.jpg,2.5",
      "#c.jpg,3",
    ),
    "the header as a comment": lines("# file mos", "a.jpg 1.5", "b.jpg 2.5"),
    "trailing delimiters": lines("file,mos,", "a.jpg,1.5,", "b.jpg,2.5,,"),
    "trailing delimiters in rows alone": lines("file;mos", "a.jpg;1.5;", "b.jpg;2.5;"),
    "row numbers without a name": lines('"file" "mos"', '"1" "a.jpg" 1.5', '"2" "b.jpg" 2.5'),
    "no header": lines("a.jpg,1.5", "b.jpg,2.5"),
    "no header, scores first": lines("1.5 a.jpg", "2.5 b.jpg"),
    "a column of long text with breaks": lines("file,mos,note", 'a.jpg,1.5,"one', 'two"', "b.jpg,2.5,"),
    "UTF-8 with a mark": Buffer.from("\ufefffile,mos\na.jpg,1.5\nb.jpg,2.5"),
    "UTF-16 little endian": utf16("file,mos\na.jpg,1.5\nb.jpg,2.5", false, true),
    "UTF-16 big endian": utf16("file,mos\na.jpg,1.5\nb.jpg,2.5", true, true),
    "UTF-16 little endian without a mark": utf16("file,mos\na.jpg,1.5\nb.jpg,2.5", false, false),
    "UTF-16 big endian without a mark": utf16("file,mos\na.jpg,1.5\nb.jpg,2.5", true, false),
    "UTF-32": Buffer.concat(
      [..."\ufefffile,mos\na.jpg,1.5\nb.jpg,2.5"].map((c) =>
        Buffer.from([c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8, 0, 0]),
      ),
    ),
  };
  for (const [kind, csv] of Object.entries(kinds)) {
    test(kind, async () => {
      const found = await scores(csv);
      expect(Object.values(found)).toEqual([1.5, 2.5]);
      expect(Object.keys(found).map((name) => name.replace(/^"|"$/g, ""))).toEqual(Object.keys(two));
    });
  }

  test("names that hold delimiters, quotes and blanks", async () => {
    expect(await scores('file,mos\n"c, d.jpg",1\n“c, d.jpg”x,2\n').catch(() => "refused")).toBe("refused");
    expect(await scores("file,mos\n“c, d.jpg”,1\na.jpg,2\n")).toEqual({ "c, d.jpg": 1, "a.jpg": 2 });
    expect(await scores("file,mos\n'c, d.jpg',1\nit's.jpg,2\n")).toEqual({ "c, d.jpg": 1, "it's.jpg": 2 });
    expect(await scores("file,mos\nthe “big” cat.jpg,1\na.jpg,2\n")).toEqual({ "the “big” cat.jpg": 1, "a.jpg": 2 });
    expect(await scores("file,mos\ntwo  words.jpg,1\na.jpg,2\n")).toEqual({ "two  words.jpg": 1, "a.jpg": 2 });
    expect(await scores("file,mos\n#1.jpg,1\na.jpg,2\n")).toEqual({ "#1.jpg": 1, "a.jpg": 2 });
  });

  test("a spreadsheet, whatever its name", async () => {
    const sheet = xlsx("Sheet", [
      ["Study", ""],
      ["file", "mos"],
      ["a.jpg", 1.5],
      ["b.jpg", 2.5],
    ]);
    expect(await scores(sheet)).toEqual(two);
  });
});

describe("lines that are lost are named, the others are not lost with them", () => {
  const lostLines = async (csv: string) => {
    const { rows, problems } = await load(csv);
    return [rows.map(({ name }) => name), problems.map(({ line }) => line)];
  };
  test("a quote that is never closed", async () => {
    expect(await lostLines("file,mos\n\"a.jpg,1\nb.jpg,2\nit's.jpg,3\n")).toEqual([["b.jpg", "it's.jpg"], [2]]);
  });
  test("a quote that is closed lines later", async () => {
    expect(await lostLines('file,mos\n"a.jpg,1\nb.jpg,2\n"c, d.jpg",3\n')).toEqual([["b.jpg", "c, d.jpg"], [2]]);
  });
  test("quotes inside quotes, not doubled", async () => {
    expect(await lostLines('file,mos\n"no "such" cat.jpg",1\nb.jpg,2\n')).toEqual([["b.jpg"], [2]]);
  });
  test("more fields than the header: never a wrong score", async () => {
    const { rows, problems } = await load("file,mos\na.jpg,1,5\nb.jpg,2\nc, d.jpg,3\n");
    expect(rows.map(({ name, mos }) => [name, mos!])).toEqual([["b.jpg", 2]]);
    expect(problems.map(({ line }) => line)).toEqual([2, 4]);
    expect(problems[0]!.detail).toContain("in quotes");
  });
  test("a row that lacks its score counts as unrated, by its line", async () => {
    const { rows, warnings } = await load("file,mos\na.jpg\nb.jpg,2\n");
    expect(rows).toHaveLength(2);
    expect(warnings.join(" ")).toContain('1 rows have an empty "mos" and count as unrated (line 2)');
  });
  test("lines keep their numbers below sep=, titles and breaks", async () => {
    const { problems } = await load('sep=,\r\nTitle\r\nfile,mos,note\r\na.jpg,1,"x\r\ny"\r\nnone.jpg,2,\r\n');
    expect(problems.map(({ line }) => line)).toEqual([6]);
  });
});

describe("what is ambiguous is a warning", () => {
  const warnings = async (csv: string | Uint8Array, options: Partial<DatasetOptions> = {}) => {
    const { warnings, problems } = await load(csv, { range: [0, 5000], ...options });
    expect(problems).toEqual([]);
    return warnings.join(" ");
  };
  test("an encoding that is not said", async () => {
    const csv = Buffer.from("file,mos\nÜbung.jpg,1.5\na.jpg,2\n", "latin1");
    const { rows, warnings } = await load(csv);
    expect(rows.map(({ name }) => name)).toEqual(["Übung.jpg", "a.jpg"]);
    expect(warnings.join(" ")).toContain("line 2 is read as windows-1252");
    const mixed = Buffer.concat([Buffer.from("file,mos,note\nÜbung.jpg,1,é\n"), Buffer.from("a.jpg,2,é\n", "latin1")]);
    const both = await load(mixed);
    expect(both.rows.map(({ name }) => name)).toEqual(["Übung.jpg", "a.jpg"]);
    expect(both.warnings.join(" ")).toContain("line 3 is read as windows-1252");
  });
  test("titles, a missing header, comments", async () => {
    expect(await warnings("Study\nfile,mos\na.jpg,1\nb.jpg,2\n")).toContain("line 1 above the header is not read");
    expect(await warnings("a.jpg,1\nb.jpg,2\n")).toContain("is no header but a row");
    expect(await warnings("file,mos\na.jpg,1\n#b.jpg,2\n")).toContain("line 3 begins with #");
  });
  test("several columns for one thing, where they differ", async () => {
    expect(await warnings("file,mos,mos\na.jpg,1,2\n")).toContain('Several columns are called "mos"');
    expect(await warnings("file,mos,score\na.jpg,1,2\n")).toContain('"mos", "score" could each be the MOS');
    expect(await warnings("file,mos,score\na.jpg,1,1\n")).toBe(
      "Every MOS is 1, so the scale is unknown; pass its nominal ends as range.".slice(0, 0),
    );
  });
  test("1,234 where nothing shows what the comma means", async () => {
    expect(await warnings("file;mos\na.jpg;1,234\nb.jpg;2,345\n")).toContain("1,234 is read as 1.234");
    expect(await warnings("file;mos\na.jpg;1,23\nb.jpg;2,345\n")).not.toContain("is read as");
  });
  test("percent signs", async () => {
    expect(await warnings("file,mos\na.jpg,85%\nb.jpg,20 %\n")).toContain("passed over");
  });
});

describe("numbers", () => {
  const values = async (...texts: string[]) => {
    const { rows } = await load(
      `file;mos\n${texts.map((text, i) => `${["a", "b", "it's"][i]}.jpg;"${text}"`).join("\n")}`,
    );
    return rows.map(({ mos }) => mos!);
  };
  test("separators of thousands and decimals, as the column uses them", async () => {
    expect(await values("1,234.5", "2.5")).toEqual([1234.5, 2.5]);
    expect(await values("1.234,5", "2,5")).toEqual([1234.5, 2.5]);
    expect(await values("1,234", "56.25")).toEqual([1234, 56.25]);
    expect(await values("1.234", "56,25")).toEqual([1234, 56.25]);
    expect(await values("1,234,567", "8")).toEqual([1234567, 8]);
    expect(await values("1 234,5", "1\u202f234,5", "1’234.5")).toEqual([1234.5, 1234.5, 1234.5]);
    expect(await values("0,123", "3,456")).toEqual([0.123, 3.456]);
    expect(await values("1.234", "2.345")).toEqual([1.234, 2.345]);
  });
  test("signs as people type them", async () => {
    expect(await values("−1.5", "'2.5", "１．５")).toEqual([-1.5, 2.5, 1.5]);
    expect(await values("1.5e1", "+.5", "2.")).toEqual([15, 0.5, 2]);
  });
  test.each(["NaN", "#N/A", "n/a", "NA", "null", "-", "#DIV/0!"])("%s is a row with advice", async (text) => {
    const { problems } = await load(`file,mos\na.jpg,1\nb.jpg,${text}\n`);
    expect(problems).toMatchObject([{ kind: "mos", line: 3, name: "b.jpg" }]);
    expect(problems[0]!.detail).toContain("leave the field empty");
  });
  test.each(["3-4", "4 stars", "3.5/5", "Infinity", "1.2.3", "5-Jan", "12 dB", "0x10"])(
    "%s is a row with advice",
    async (text) => {
      const { problems } = await load(`file,mos\na.jpg,1\nb.jpg,${text}\n`);
      expect(problems).toMatchObject([{ kind: "mos", line: 3, name: "b.jpg" }]);
      expect(problems[0]!.detail).toContain("write one number");
    },
  );
});

describe("what is no table says so", () => {
  const kinds: Record<string, [string | Uint8Array, string]> = {
    "old Excel": [Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0, 0]), "old Excel file"],
    JSON: ['[{"file": "a.jpg", "mos": 1}]', "is JSON"],
    "JSON lines": ['{"file": "a.jpg", "mos": 1}\n', "is JSON"],
    "web page": ["<!DOCTYPE html><html></html>", "a web page"],
    gzip: [Buffer.from([0x1f, 0x8b, 8, 0]), "gzip"],
    picture: [Buffer.from([0xff, 0xd8, 0xff, 0xe0]), "a picture"],
    zeros: [Buffer.from("file,mos\na.jpg,\0\0\0\0\n"), "zero bytes"],
    empty: ["\n \n", "is empty"],
  };
  for (const [kind, [csv, message]] of Object.entries(kinds)) {
    test(kind, async () => {
      expect(await failure(csv)).toContain(message);
    });
  }
  test("a broken spreadsheet", async () => {
    const sheet = xlsx("Sheet", [
      ["file", "mos"],
      ["a.jpg", 1.5],
    ]);
    expect(await failure(sheet.subarray(0, 700))).toContain("scores.csv");
    expect(await failure(sheet.subarray(0, 700), {}, "scores.xlsx")).toContain("scores.xlsx cannot be read");
  });
});
