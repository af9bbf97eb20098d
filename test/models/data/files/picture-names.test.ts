import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadDataset } from "../../../../models/data/index.ts";

let root: string;
let folder: string;
const pictures = [
  "images/a.jpg",
  "images/b.JPG",
  "images/c.jpeg",
  "images/50% off.jpg",
  "images/two words.jpg",
  // Decomposed, as some systems write names; composed; both in one folder.
  "images/Cafe\u0301.jpg",
  "images/\u00dcbung.jpg",
  "images/stra\u00dfe.jpg",
  "images/.hidden/x.jpg",
  "one/same.jpg",
  "two/same.jpg",
  "lonely.png",
];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "acutance-names-"));
  folder = join(root, "study", "pictures");
  for (const name of pictures) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), "looked for, not opened");
  }
  await writeFile(join(root, "study", "outside.jpg"), "outside");
});
afterAll(() => rm(root, { recursive: true }));

/** What one name finds; a second row keeps the data set from being empty. */
async function find(name: string, csvFolder = join(root, "study")) {
  const csv = join(csvFolder, "scores.csv");
  await writeFile(csv, `file,mos\n"${name.replaceAll('"', '""')}",1\nlonely.png,2\n`);
  const { rows, problems, warnings } = await loadDataset({ folder, csv, range: [0, 5] });
  const row = rows.find((each) => each.mos === 1);
  return { path: row?.path.slice(folder.length + 1).replaceAll("\\", "/"), name: row?.name, problems, warnings };
}

describe("names that say which picture is meant", () => {
  const kinds: Record<string, [name: string | (() => string), picture: string]> = {
    plain: ["images/a.jpg", "images/a.jpg"],
    "with ./": ["./images/a.jpg", "images/a.jpg"],
    "with //": ["images//a.jpg", "images/a.jpg"],
    "from the root of the folder": ["/images/a.jpg", "images/a.jpg"],
    backslashes: ["images\\a.jpg", "images/a.jpg"],
    "backslashes with .\\": [".\\images\\a.jpg", "images/a.jpg"],
    "a Windows path": ["C:\\study\\pictures\\images\\a.jpg", "images/a.jpg"],
    "a Windows server": ["\\\\server\\study\\pictures\\images\\a.jpg", "images/a.jpg"],
    "a Windows path with slashes": ["D:/pictures/images/a.jpg", "images/a.jpg"],
    "the folder in front": ["pictures/images/a.jpg", "images/a.jpg"],
    "two folders in front": ["study/pictures/images/a.jpg", "images/a.jpg"],
    "the folder in front, in another case": ["Pictures\\Images\\A.JPG", "images/a.jpg"],
    "relative to another folder": ["../pictures/images/a.jpg", "images/a.jpg"],
    absolute: [() => join(folder, "images/a.jpg"), "images/a.jpg"],
    "absolute on another computer": ["/home/x/study/pictures/images/a.jpg", "images/a.jpg"],
    "below a home folder": ["~/pictures/images/a.jpg", "images/a.jpg"],
    "a file: URL": [() => pathToFileURL(join(folder, "images/two words.jpg")).href, "images/two words.jpg"],
    "a file: URL of another computer": ["file:///C:/pictures/images/two%20words.jpg", "images/two words.jpg"],
    "an http URL": ["https://example.org/pictures/images/a.jpg?w=200#top", "images/a.jpg"],
    "a URL with another path": ["https://example.org/u/1/a.jpg", "images/a.jpg"],
    "a bucket": ["s3://bucket/pictures/images/a.jpg", "images/a.jpg"],
    "percent escapes": ["images/two%20words.jpg", "images/two words.jpg"],
    "a percent sign that is none": ["images/50% off.jpg", "images/50% off.jpg"],
    "escaped letters": ["images/%C3%9Cbung.jpg", "images/\u00dcbung.jpg"],
    "decomposed for composed": ["images/U\u0308bung.jpg", "images/\u00dcbung.jpg"],
    "composed for decomposed": ["images/Caf\u00e9.jpg", "images/Cafe\u0301.jpg"],
    "composed, in upper case": ["CAF\u00c9.JPG", "images/Cafe\u0301.jpg"],
    "\u00df as SS": ["images/STRASSE.JPG", "images/stra\u00dfe.jpg"],
    "blanks at the end": ["images/a.jpg  ", "images/a.jpg"],
    "a blank that does not break": ["images/two\u00a0words.jpg", "images/two words.jpg"],
    "signs without width": ["\u200bimages/a.jpg\ufeff", "images/a.jpg"],
    "no extension": ["images/c", "images/c.jpeg"],
    "another extension": ["images/c.png", "images/c.jpeg"],
    "another extension, upper case": ["A.TIF", "images/a.jpg"],
    "the file name alone": ["a.jpg", "images/a.jpg"],
    "the longest end decides": ["/elsewhere/two/same.jpg", "two/same.jpg"],
    "quotes around": ['"images/a.jpg"', "images/a.jpg"],
  };
  for (const [kind, [given, picture]] of Object.entries(kinds)) {
    test(kind, async () => {
      const name = typeof given === "string" ? given : given();
      const found = await find(name);
      expect(found.problems).toEqual([]);
      expect(found.path).toBe(picture);
    });
  }

  test("a path relative to the folder of the CSV", async () => {
    await mkdir(join(root, "study", "labels"), { recursive: true });
    const found = await find("../pictures/one/same.jpg", join(root, "study", "labels"));
    expect(found.path).toBe("one/same.jpg");
  });
});

describe("names that do not", () => {
  test.each([
    ["same.jpg", "several pictures"],
    ["none.jpg", "there is no such picture"],
    ["../outside.jpg", "leaves"],
    ["..\\..\\x.jpg", "leaves"],
    ["images", "there is no such picture"],
    ["https://example.org/", "there is no such picture"],
  ])("%s: %s", async (name, why) => {
    const { problems } = await find(name);
    expect(problems).toMatchObject([{ kind: "missing", line: 2, name }]);
    expect(problems[0]!.detail).toContain(why);
  });

  test("what is guessed is said, with the lines", async () => {
    expect((await find("session1/a.jpg")).warnings.join(" ")).toContain("1 names are found only without their folders");
    expect((await find("images/a.webp")).warnings.join(" ")).toContain("(line 2)");
    expect((await find("pictures\\images\\a.jpg")).warnings).toEqual([]);
  });

  test("two names that could be one picture: the one that fits has it, and nothing is guessed among equals", async () => {
    const csv = join(root, "study", "rivals.csv");
    const load = async (...names: string[]) => {
      await writeFile(csv, `file,mos\n${names.map((name, i) => `${name},${i + 1}`).join("\n")}\nlonely.png,9\n`);
      const { rows, problems } = await loadDataset({ folder, csv, range: [0, 9] });
      return [rows.map(({ mos }) => mos!), problems.map(({ line, kind }) => `${line} ${kind}`)];
    };
    expect(await load("session2/a.jpg", "images/a.jpg")).toEqual([[2, 9], ["2 missing"]]);
    expect(await load("session1/a.jpg", "session2/a.jpg")).toEqual([[9], ["2 missing", "3 missing"]]);
    expect(await load("A.JPG", "images/a.jpg")).toEqual([[2, 9], ["2 missing"]]);
    expect(await load("a.png", "a.jpg")).toEqual([[2, 9], ["2 missing"]]);
    expect(await load("x/b.jpg", "x/b.jpg")).toEqual([[1, 9], ["3 duplicate"]]);
  });

  test("when none is found, the error shows what the folder has", async () => {
    const csv = join(root, "study", "none.csv");
    await writeFile(csv, "file,mos\nx/1.jpg,1\nx/2.jpg,2\n");
    const error = await loadDataset({ folder, csv }).catch((reason: Error) => reason);
    expect((error as Error).message).toContain(basename("images/50% off.jpg"));
    expect((error as Error).message).toContain("is folder the right one?");
  });
});
