import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { asText, nameOfBytes, onDisk, printable } from "../../../../models/data/files/file-name.ts";
import { listFolder, listPictures, passedOverWords } from "../../../../models/data/files/folder.ts";
import { decode, loadDataset, loadFolder } from "../../../../models/data/index.ts";

let root: string;
let jpeg: Buffer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "acutance-folder-"));
  jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: "teal" } })
    .jpeg()
    .toBuffer();
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder with these files; a string is a link's target. */
async function folderOf(files: Record<string, Uint8Array | string>): Promise<string> {
  const folder = await mkdtemp(join(root, "f-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    if (typeof content === "string") await symlink(content, join(folder, name));
    else await writeFile(join(folder, name), content);
  }
  return folder;
}

const text = Buffer.from("not a picture");

describe("a folder", () => {
  test("files of any name are taken when they begin as a picture does", async () => {
    const names = [
      "IMG_0001",
      "c.jpg_large",
      "d.pjpeg",
      "e.MPO",
      "f.dng",
      "g.jxl",
      "h.tar.gz",
      "i.JPG",
      "k.jpg.bak",
      "l.jpg (1)",
    ];
    const folder = await folderOf(Object.fromEntries(names.map((name) => [name, jpeg])));
    expect(await listFolder(folder)).toEqual({ pictures: names.sort(), leftOut: [], passedOver: [], hidden: [] });
  });

  test.each([
    ["png", () => sharp(jpeg).png().toBuffer()],
    ["webp", () => sharp(jpeg).webp().toBuffer()],
    ["gif", () => sharp(jpeg).gif().toBuffer()],
    ["tiff", () => sharp(jpeg).tiff().toBuffer()],
    ["bigtiff", () => sharp(jpeg).tiff({ bigtiff: true }).toBuffer()],
    ["avif", () => sharp(jpeg).avif().toBuffer()],
  ])("a %s without an extension is a picture", async (_, make) => {
    const folder = await folderOf({ "2024": await make() });
    expect(await listPictures(folder)).toEqual(["2024"]);
  });

  test("what might be a picture and cannot be decoded is left out by name, with its format", async () => {
    const folder = await folderOf({
      "a.jxl": Buffer.from([0xff, 0x0a, 1, 2]),
      "b.dat": Buffer.from("8BPS\0\x01"),
      "c.NEF": text,
      "d.ppm": Buffer.from("P6\n2 2\n255\n............"),
      "e.tga": text,
      "ok.jpg": jpeg,
    });
    const { pictures, leftOut } = await listFolder(folder);
    expect(pictures).toEqual(["ok.jpg"]);
    expect(leftOut.map(({ name }) => name)).toEqual(["a.jxl", "b.dat", "c.NEF", "d.ppm", "e.tga"]);
    expect(leftOut[2]!.why).toContain("raw file");
  });

  test("other files are counted, hidden ones apart", async () => {
    const folder = await folderOf({
      "a.jpg": jpeg,
      "notes.txt": text,
      "P1 first.md": Buffer.from("P1 is what comes first"),
      "icon.svg": Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      BMW: Buffer.from("BMW 2002, a list of parts and prices"),
      "a.jpg.xmp": Buffer.from("<x:xmpmeta/>"),
      empty: Buffer.alloc(0),
      ".DS_Store": text,
      ".thumbnails/a.jpg": jpeg,
    });
    const listing = await listFolder(folder);
    expect(listing).toEqual({
      pictures: ["a.jpg"],
      leftOut: [],
      passedOver: ["BMW", "P1 first.md", "a.jpg.xmp", "empty", "icon.svg", "notes.txt"],
      hidden: [".DS_Store", ".thumbnails"],
    });
    expect(passedOverWords(listing)).toBe(
      "passed over 6 files that are no pictures (BMW, P1 first.md, a.jpg.xmp, …) and 2 hidden (.DS_Store, .thumbnails)",
    );
    expect((await loadFolder(folder)).warnings).toEqual([passedOverWords(listing)!]);
  });

  test("a file called like a picture that is none stays, to be told of when it is decoded", async () => {
    const folder = await folderOf({ "a.jpg": text, "b.jpg_large": text, "c.jpg_large": Buffer.alloc(0) });
    expect(await listPictures(folder)).toEqual(["a.jpg", "b.jpg_large", "c.jpg_large"]);
  });

  test("links are followed, loops end, broken links are left out by name", async () => {
    const folder = await folderOf({
      "in/a.jpg": jpeg,
      "in/again": ".",
      "in/up": "..",
      "in/root": "/",
      "b.jpg": "in/a.jpg",
      "broken.jpg": "nowhere.jpg",
      self: "self",
      aside: "in",
    });
    const { pictures, leftOut, passedOver } = await listFolder(folder);
    expect(pictures).toEqual(["aside/a.jpg", "b.jpg", "in/a.jpg"]);
    expect(leftOut.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      "broken.jpg: It is a link to a file that is not there.",
      "self: The link cannot be followed: the link leads to itself.",
    ]);
    expect(passedOver).toContain("in/again");
    expect(passedOver).toContain("in/up");
    expect(passedOver).toContain("in/root");
  });

  test.skipIf(process.getuid?.() === 0)("a folder without permission is left out by name", async () => {
    const folder = await folderOf({ "open/a.jpg": jpeg, "locked/b.jpg": jpeg, "x.dat": text });
    await chmod(join(folder, "locked"), 0);
    await chmod(join(folder, "x.dat"), 0);
    const { rows, problems } = await loadFolder(folder);
    await chmod(join(folder, "locked"), 0o700);
    expect(rows.map(({ name }) => name)).toEqual(["open/a.jpg"]);
    expect(problems.map(({ name, detail }) => `${name}: ${detail}`)).toEqual([
      "locked: The folder cannot be read: permission denied.",
      "x.dat: The file cannot be read: permission denied.",
    ]);
  });

  test("extensions, when given, are all that counts", async () => {
    const folder = await folderOf({
      "a.jpg": jpeg,
      b: jpeg,
      "c.JPEG": jpeg,
      "d.raw": text,
      "e.gif": "nowhere",
      "f.jpeg": "no",
    });
    const { pictures, leftOut, passedOver } = await listFolder(folder, { extensions: ["jpeg"] });
    expect([pictures, leftOut.map(({ name }) => name), passedOver]).toEqual([["c.JPEG"], ["f.jpeg"], []]);
  });

  test("rows of a CSV that are missing come with what the folder kept back", async () => {
    const folder = await folderOf({ "a.jpg": jpeg, "b.jpg": jpeg, "c.jpg": "nowhere.jpg" });
    const csv = join(folder, "mos.csv");
    await writeFile(csv, "name,mos\na.jpg,1\nb.jpg,2\nc.jpg,3\n");
    const { problems, warnings } = await loadDataset({ folder, csv });
    expect(problems).toHaveLength(1);
    expect(warnings.join(" ")).toContain("c.jpg: It is a link to a file that is not there.");
  });

  test("5,000 files of one folder", async () => {
    const folder = await mkdtemp(join(root, "many-"));
    for (let i = 0; i < 5000; i++) await writeFile(join(folder, `${i}`), i % 2 ? text : jpeg);
    const { pictures, passedOver } = await listFolder(folder);
    expect([pictures.length, passedOver.length]).toEqual([2500, 2500]);
  });
});

describe("names of files", () => {
  test("any bytes become a string and the same bytes again", () => {
    for (const bytes of [
      Buffer.from("plain.jpg"),
      Buffer.from("ärger \u{1f600}.jpg"),
      Buffer.from([0xe4, 0x72, 0xff, 0x80, 0xf0, 0x9f, 0x98]),
      Buffer.from([0xed, 0xa0, 0x80, 0x2e, 0xc0, 0xaf]), // a surrogate and an overlong form
      Buffer.from([0xef, 0xbb, 0xbf, 0x61]),
      Buffer.from("\u{10fee4}"), // what stands for a byte
    ]) {
      expect(Buffer.from(onDisk(nameOfBytes(bytes)))).toEqual(bytes);
    }
  });

  test("are shown without what no text holds and what steers a terminal", () => {
    expect(asText(nameOfBytes(Buffer.from([0xe4, 0x62])))).toBe("\\xE4b");
    expect(printable("a\u001b[31m\n\u009b\u202egnp.jpg")).toBe("a\\x1B[31m\\x0A\\x9B\\u202Egnp.jpg");
    expect(printable("ärger \u{1f600} 写真.jpg")).toBe("ärger \u{1f600} 写真.jpg");
  });

  test.skipIf(process.platform !== "linux")("that are no UTF-8 are listed and read", async () => {
    const folder = await mkdtemp(join(root, "latin1-"));
    const inner = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xfc])]);
    await mkdir(inner);
    for (const letter of [0xe4, 0xf6]) {
      await writeFile(Buffer.concat([inner, Buffer.from("/"), Buffer.from([letter]), Buffer.from(".jpg")]), jpeg);
    }
    const { rows } = await loadFolder(folder);
    expect(rows.map(({ name }) => asText(name))).toEqual(["\\xFC/\\xE4.jpg", "\\xFC/\\xF6.jpg"]);
    for (const { path } of rows) expect((await decode(path)).width).toBe(8);
  });
});
