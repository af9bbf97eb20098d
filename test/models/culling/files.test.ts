import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readChoices } from "../../../models/culling/files/choices.ts";
import { placeFiles } from "../../../models/culling/files/place.ts";
import { planPlaces } from "../../../models/culling/files/plan.ts";
import type { PlaceMode } from "../../../models/culling/files/step.ts";
import { undoPlaces } from "../../../models/culling/files/undo.ts";
import { nameOfBytes, onDisk } from "../../../models/data/files/file-name.ts";

const root = mkdtempSync(join(tmpdir(), "acutance-cull-files-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
let folder = "";
const at = (name: string) => join(folder, name);
const files = () =>
  (readdirSync(folder, { recursive: true, withFileTypes: true }) as import("node:fs").Dirent[])
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((name) => !name.includes("undo-"))
    .sort();

beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(at("in/sub"), { recursive: true });
  for (const name of [
    "a.jpg",
    "a.jpg.xmp",
    "a.CR2",
    "a.xmp",
    "ab.jpg",
    "sub/a.jpg",
    "sub/c.jpg",
    "c.jpg",
    "notes.txt",
  ]) {
    writeFileSync(at(`in/${name}`), `bytes of ${name}`);
  }
});

const choices = () => [
  { path: at("in/a.jpg"), decision: "keep" as const },
  { path: at("in/ab.jpg"), decision: "reject" as const },
  { path: at("in/sub/a.jpg"), decision: "keep" as const },
  { path: at("in/sub/c.jpg"), decision: "reject" as const },
];

async function placed(mode: PlaceMode, roots = [at("in")]) {
  const plan = await planPlaces(choices(), { folder: at("out"), roots });
  return { plan, ...placeFiles(plan.steps, mode, at("out")) };
}

describe("pictures go with what belongs to them", () => {
  test("sidecars and raw files go along, others stay", async () => {
    const { done, failed } = await placed("move");
    expect([done, failed]).toEqual([7, []]);
    expect(files()).toEqual([
      "in/c.jpg",
      "in/notes.txt",
      "out/keep/a.CR2",
      "out/keep/a.jpg",
      "out/keep/a.jpg.xmp",
      "out/keep/a.xmp",
      "out/keep/sub/a.jpg",
      "out/reject/ab.jpg",
      "out/reject/sub/c.jpg",
    ]);
    expect(readFileSync(at("out/keep/a.xmp"), "utf8")).toBe("bytes of a.xmp");
  });

  test("where names meet, a picture and its companions get another one together", async () => {
    mkdirSync(at("out/keep"), { recursive: true });
    writeFileSync(at("out/keep/a.CR2"), "of another picture");
    await placed("copy", []);
    expect(files().filter((name) => name.startsWith("out/keep"))).toEqual([
      "out/keep/a-2.CR2",
      "out/keep/a-2.jpg",
      "out/keep/a-2.jpg.xmp",
      "out/keep/a-2.xmp",
      "out/keep/a.CR2",
      "out/keep/a.jpg",
    ]);
    expect(readFileSync(at("out/keep/a.CR2"), "utf8")).toBe("of another picture");
  });

  test("links, and what is not there, stay with a word", async () => {
    symlinkSync("a.jpg", at("in/link.jpg"));
    const asked = ["link.jpg", "none.jpg"].map((name) => ({ path: at(`in/${name}`), decision: "keep" as const }));
    const { steps, left } = await planPlaces(asked, { folder: at("out"), roots: [] });
    expect(steps).toEqual([]);
    expect(left.map(({ why }) => why)).toEqual([
      "It is a link; links stay where they are.",
      "It cannot be found: there is nothing of this name.",
    ]);
  });

  test.skipIf(process.platform !== "linux")("names that are no UTF-8", async () => {
    const path = at(`in/${nameOfBytes(new Uint8Array([0xe4, 0x2e, 0x6a, 0x70, 0x67]))}`);
    writeFileSync(onDisk(path), "latin");
    writeFileSync(at("choices.csv"), `path,decision\n${at("in/\\xE4.jpg")},keep\n`);
    const read = readChoices(at("choices.csv"));
    expect(read).toEqual([{ path, decision: "keep" }]);
    const { steps } = await planPlaces(read, { folder: at("out"), roots: [] });
    const { undoFile, done } = placeFiles(steps, "move", at("out"));
    expect([done, existsSync(onDisk(path))]).toEqual([1, false]);
    expect(undoPlaces(undoFile)).toEqual({ restored: 1, refused: [] });
    expect(readFileSync(onDisk(path), "utf8")).toBe("latin");
  });
});

describe("undo", () => {
  test.each(["move", "link", "copy"] as const)("%s leaves everything as it was", async (mode) => {
    const before = files();
    const { undoFile } = await placed(mode);
    expect(undoPlaces(undoFile)).toEqual({ restored: 7, refused: [] });
    expect(files()).toEqual(before);
    expect(existsSync(at("out"))).toBe(false);
    expect(readFileSync(at("in/a.jpg"), "utf8")).toBe("bytes of a.jpg");
  });

  test("what has changed stays, and can be undone later", async () => {
    const { undoFile } = await placed("move");
    appendFileSync(at("out/keep/a.xmp"), " and more");
    writeFileSync(at("in/ab.jpg"), "another picture");
    const first = undoPlaces(undoFile);
    expect(first.restored).toBe(5);
    expect(first.refused.map(({ why }) => why).sort()).toEqual([
      expect.stringContaining("It has changed since it was moved."),
      expect.stringContaining("There is another file"),
    ]);
    expect(readFileSync(at("in/ab.jpg"), "utf8")).toBe("another picture");
    renameSync(at("in/ab.jpg"), at("in/other.jpg"));
    expect(undoPlaces(undoFile)).toMatchObject({ restored: 1, refused: [{ path: at("out/keep/a.xmp") }] });
    expect(readFileSync(at("in/ab.jpg"), "utf8")).toBe("bytes of ab.jpg");
  });

  test("a move that was interrupted is undone as far as it went", async () => {
    const { undoFile } = await placed("move");
    // As if the process had ended in the middle of writing a step that was not carried out.
    renameSync(at("out/reject/sub/c.jpg"), at("in/sub/c.jpg"));
    appendFileSync(undoFile, '{"from":"/x","t');
    expect(undoPlaces(undoFile)).toEqual({ restored: 6, refused: [] });
    expect(files()).toContain("in/a.jpg");
  });

  test("other files are refused", () => {
    writeFileSync(at("x.jsonl"), "{}\n");
    for (const name of ["x.jsonl", "in/a.jpg"]) expect(() => undoPlaces(at(name))).toThrow("is no undo file");
    expect(() => undoPlaces(at("none"))).toThrow("cannot be read: there is nothing of this name");
  });
});

test("a file that changes between plan and move stays", async () => {
  const { steps } = await planPlaces(choices(), { folder: at("out"), roots: [at("in")] });
  appendFileSync(at("in/ab.jpg"), "more");
  const { done, failed } = placeFiles(steps, "move", at("out"));
  expect([done, failed]).toEqual([6, [{ path: at("in/ab.jpg"), why: "It has changed meanwhile." }]]);
});

describe("choices", () => {
  test.each([
    ["path,decision\na.jpg,keep\nb.jpg,reject\nc.jpg,\n"],
    ['{"choices":[{"path":"a.jpg","decision":"keep"},{"path":"b.jpg","decision":"reject"}]}'],
    ['{"pictures":[{"path":"a.jpg","decision":"keep"},{"path":"b.jpg","decision":"reject"},{"path":"c","error":"x"}]}'],
  ])("%s", (text) => {
    writeFileSync(at("choices"), text);
    expect(readChoices(at("choices"))).toEqual([
      { path: "a.jpg", decision: "keep" },
      { path: "b.jpg", decision: "reject" },
    ]);
  });

  test.each([
    ["path,decision\na.jpg,maybe\n", "row 1 needs a path, and keep or reject"],
    ["name,decision\na.jpg,keep\n", "it has no column path"],
    ["path,decision\na.jpg,keep\na.jpg,reject\n", "a.jpg is both kept and rejected"],
    ['{"other":[]}', "without a list `choices`"],
    ["{", "it is no JSON"],
    ["path,decision\n", "it has no choice"],
  ])("%s is refused", (text, why) => {
    writeFileSync(at("choices"), text);
    expect(() => readChoices(at("choices"))).toThrow(why);
  });
});
