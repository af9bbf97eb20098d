import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, type PictureError } from "../../../../models/data/index.ts";
import { heifColours } from "../../../../models/data/pictures/headers/heif.ts";
import { kindOf } from "../../../../models/data/pictures/kind.ts";
import { heicFiles, quarters, withProperty, withStreamColours } from "./heic-files.ts";

const bytesOf = (name: keyof typeof heicFiles) => Buffer.from(heicFiles[name], "base64");
const failure = (bytes: Uint8Array, options = {}) =>
  decode(bytes, { name: "a.heic", ...options }).then(
    () => undefined,
    (error: PictureError) => error,
  );

describe("HEIC is decoded with libheif-js", () => {
  test.each(["plain", "deep", "several", "p3"] as const)("%s", async (name) => {
    const bytes = bytesOf(name);
    expect(kindOf(bytes)).toEqual({ format: "heic" });
    const { width, height, pixels } = await decode(bytes);
    expect([width, height]).toEqual([96, 64]);
    for (const { x, y, colour } of quarters) {
      const found = [...pixels.subarray(3 * (96 * y + x), 3 * (96 * y + x) + 3)];
      // Of the profile's file the samples are others, and the colours the same.
      for (const [i, value] of colour.entries()) expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(7);
    }
  });

  // Quarters in the order upper left, upper right, lower left, lower right. Source: ISO/IEC 23008-12, sections 6.5.10 and 6.5.12.
  test.each([
    ["a quarter to the left", [["irot", 1]], [1, 3, 0, 2]],
    ["half a turn", [["irot", 2]], [3, 2, 1, 0]],
    ["a quarter to the right", [["irot", 3]], [2, 0, 3, 1]],
    ["upside down in a mirror", [["imir", 0]], [2, 3, 0, 1]],
    ["in a mirror", [["imir", 1]], [1, 0, 3, 2]],
    // In the order of the properties.
    [
      "turned, then mirrored",
      [
        ["irot", 1],
        ["imir", 0],
      ],
      [0, 2, 1, 3],
    ],
  ] as const)("%s", async (_, properties, order) => {
    const bytes = properties.reduce<Uint8Array>(
      (file, [type, value]) => withProperty(file, type, [value]),
      bytesOf("plain"),
    );
    const { width, height, pixels } = await decode(bytes);
    expect([width, height]).toEqual(
      properties.some(([type, value]) => type === "irot" && value !== 2) ? [64, 96] : [96, 64],
    );
    for (const [place, quarter] of order.entries()) {
      const [x, y] = [Math.floor((0.25 + 0.5 * (place % 2)) * width), Math.floor((0.25 + 0.5 * (place >> 1)) * height)];
      for (const [i, value] of quarters[quarter]!.colour.entries())
        expect(Math.abs(pixels[3 * (y * width + x) + i]! - value)).toBeLessThanOrEqual(7);
    }
  });

  test("code points told by the stream alone are honoured; those of a colour box come before", async () => {
    const plain = await decode(bytesOf("deep"));
    expect(heifColours(withStreamColours(bytesOf("deep"), 12, 13))).toEqual({ cicp: { primaries: 12, transfer: 13 } });
    const p3 = await decode(withStreamColours(bytesOf("deep"), 12, 13));
    const red = 3 * (96 * quarters[0].y + quarters[0].x);
    // A red of Display P3 is a stronger one in sRGB.
    expect(p3.pixels[red]! - plain.pixels[red]!).toBeGreaterThan(8);
    for (const [transfer, name] of [
      [16, "PQ"],
      [18, "HLG"],
    ] as const) {
      const hdr = withStreamColours(bytesOf("deep"), 9, transfer);
      expect(await failure(hdr)).toMatchObject({ reason: "unsupported", detail: expect.stringContaining(name) });
      const told = withProperty(hdr, "colr", [...Buffer.from("nclx\0\x01\0\x0d\0\x06\x80", "latin1")]);
      expect((await decode(told)).pixels).toEqual(plain.pixels);
    }
  });

  test("what is transparent shows the background", async () => {
    const { pixels } = await decode(bytesOf("alpha"), { background: "#0000ff" });
    expect([...pixels.subarray(0, 3)]).toEqual([0, 0, 255]);
  });

  test("high dynamic range, too many pixels and damage are refused", async () => {
    // The profile's box as one of code points: Rec. 2020, PQ.
    const pq = bytesOf("p3");
    pq.set(Buffer.from("nclx\0\x09\0\x10\0\x09\x80", "latin1"), pq.indexOf("prof"));
    expect(await failure(pq)).toMatchObject({
      reason: "unsupported",
      detail: expect.stringContaining("PQ"),
    });
    expect(await failure(bytesOf("plain"), { maxPixels: 100 })).toMatchObject({ reason: "too-large" });
    const cut = bytesOf("plain");
    expect(await failure(cut.subarray(0, cut.length - 60))).toMatchObject({ reason: "damaged" });
    expect(await failure(cut.subarray(0, 100))).toMatchObject({ reason: "damaged" });
  });

  test("without the package the error says how to get it", () => {
    const folder = mkdtempSync(join(tmpdir(), "acutance-heic-"));
    try {
      // A copy of the file that asks for it, where no package is.
      const root = new URL("../../../../", import.meta.url).pathname;
      for (const part of ["models/data", "engine", "models/options.ts"]) {
        mkdirSync(join(folder, part, ".."), { recursive: true });
        cpSync(join(root, part), join(folder, part), { recursive: true });
      }
      mkdirSync(join(folder, "node_modules"));
      for (const part of ["sharp", "detect-libc", "semver", "@img", "fflate", "zod", "jsonc-parser", "koffi"]) {
        const from = join(root, "node_modules", part);
        cpSync(from, join(folder, "node_modules", part), {
          recursive: true,
          dereference: true,
          force: true,
          errorOnExist: false,
        });
      }
      writeFileSync(join(folder, "package.json"), '{"type":"module"}');
      writeFileSync(join(folder, "a.heic"), bytesOf("plain"));
      writeFileSync(
        join(folder, "run.ts"),
        'import { decode } from "./models/data/pictures/decode.ts";\nawait decode("a.heic").catch((e) => console.log(e.message));\n',
      );
      const { stdout, stderr } = spawnSync(process.execPath, ["--no-install", "run.ts"], {
        cwd: folder,
        encoding: "utf8",
      });
      expect(stderr + stdout).toContain(
        "whose decoder is not installed. Install it beside Acutance, `npm install libheif-js`",
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
