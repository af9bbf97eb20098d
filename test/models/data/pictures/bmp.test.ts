import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../../engine/random.ts";
import { inspect, loadFolder, PictureError } from "../../../../models/data/index.ts";
import { decodeBmp } from "../../../../models/data/pictures/bmp.ts";
import { decode } from "../../../../models/data/pictures/decode.ts";
import golden from "../../../golden/bmp.json" with { type: "json" };

const files = new Map(golden.cases.map(({ name, file }) => [name, new Uint8Array(Buffer.from(file, "base64"))]));
const file = (name: string) => files.get(name)!.slice();

/** A file with 32-bit numbers put over others, by their place. */
function altered(name: string, numbers: Record<number, number>): Uint8Array {
  const bytes = file(name);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of Object.entries(numbers)) view.setInt32(Number(at), value, true);
  return bytes;
}

async function failure(bytes: Uint8Array, options = {}): Promise<PictureError> {
  const error = await decode(bytes, { name: "some.bmp", ...options }).then(
    () => new Error("decoded although it should not"),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(PictureError);
  return error as PictureError;
}

describe(`golden values from Pillow ${golden.pillow}`, () => {
  for (const { name, width, height, alpha, pixels } of golden.cases) {
    test(name, async () => {
      const picture = await decode(file(name));
      expect([picture.width, picture.height]).toEqual([width, height]);
      const worst = pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - picture.pixels[i]!)), 0);
      // Fields of 5 and 6 bits are rounded here, cut off there; so are mixtures with the background.
      expect(worst).toBeLessThanOrEqual(alpha || name.startsWith("16 bits") ? 1 : 0);
      expect(picture.pixels).toHaveLength(pixels.length);
    });
  }
});

test("transparency shows the background; an alpha channel of zeros is none", async () => {
  const name = "32 bits, masks R G B A in a long header";
  const offset = new DataView(file(name).buffer).getUint32(10, true);
  const withAlpha = (value: number) => {
    const bytes = file(name);
    for (let i = offset + 3; i < bytes.length; i += 4) bytes[i] = value;
    return bytes;
  };
  const [opaque, empty] = await Promise.all([255, 0].map((value) => decode(withAlpha(value))));
  expect(empty!.pixels).toEqual(opaque!.pixels);
  const partly = withAlpha(0);
  partly[offset + 3] = 255;
  const { pixels, width, height } = await decode(partly, { background: "#102030" });
  const first = 3 * width * (height - 1);
  expect([...pixels.subarray(0, 3)]).toEqual([16, 32, 48]);
  expect([...pixels.subarray(first, first + 3)]).toEqual([...opaque!.pixels.subarray(first, first + 3)]);
});

describe("what cannot be decoded", () => {
  test.each([
    ["within the header", file("24 bits").subarray(0, 20), "truncated", "ends within its header"],
    ["within the palette", file("8 bits").subarray(0, 300), "truncated", "ends within its palette"],
    ["a byte short", file("24 bits").subarray(0, -1), "truncated", "last 1 bytes"],
    ["run lengths", altered("8 bits", { 30: 1 }), "unsupported", "compression RLE8"],
    ["a JPEG inside", altered("24 bits", { 30: 4 }), "unsupported", "compression JPEG"],
    ["an unknown header", altered("24 bits", { 14: 20 }), "not-a-picture", "no 20 bytes"],
    ["no width", altered("24 bits", { 18: 0 }), "not-a-picture", "0 x 5 pixels"],
    ["a negative width", altered("24 bits", { 18: -7 }), "not-a-picture", "-7 x 5 pixels"],
    ["7 bits", altered("24 bits", { 26: 1 + 7 * 65536 }), "not-a-picture", "7 bits a pixel"],
    ["pixels within the header", altered("24 bits", { 10: 30 }), "damaged", "start at byte 30"],
    ["a mask with a hole", altered("16 bits, masks 5 6 5", { 54: 0xf900 }), "not-a-picture", "0xf900"],
    ["a colour beyond the palette", altered("8 bits, 20 colours", { 140: 0x77777777 }), "damaged", "colour 119"],
    ["a text", new TextEncoder().encode("BM, as these words begin, is no picture."), "not-a-picture", "BMP header"],
  ] as const)("%s", async (_, bytes, reason, words) => {
    const error = await failure(bytes);
    expect(error.reason).toBe(reason);
    expect(error.message).toContain(words);
    expect(error.message).toStartWith("some.bmp: ");
  });

  test("too many pixels, before memory is taken for them", async () => {
    expect((await failure(file("24 bits"), { maxPixels: 34 })).reason).toBe("too-large");
    expect((await decode(file("24 bits"), { maxPixels: 35 })).width).toBe(7);
    const giant = altered("24 bits", { 18: 2 ** 31 - 1, 22: -(2 ** 31) });
    expect((await failure(giant)).reason).toBe("too-large");
  });

  test("thousands of mutations end in a picture or a PictureError", () => {
    const random = new Random(7, "bmp mutations");
    const all = [...files.values()];
    let refused = 0;
    for (let i = 0; i < 6000; i++) {
      const bytes = all[i % all.length]!.slice();
      // Mostly in the headers.
      for (let n = random.integer(4); n >= 0; n--)
        bytes[random.integer(Math.min(bytes.length, 150))] = random.integer(256);
      const cut = random.integer(3) === 0 ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
      try {
        const { samples, width, height, channels } = decodeBmp(cut, "mutation.bmp", 1e5);
        expect(samples).toHaveLength(width * height * channels);
      } catch (error) {
        expect(error).toBeInstanceOf(PictureError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(5000);
  });
});

test("a BMP has the pixels of its PNG, and inspection knows it for the same picture", async () => {
  const folder = await mkdtemp(join(tmpdir(), "acutance-bmp-"));
  try {
    const bmp = file("24 bits");
    const { pixels, width, height } = await decode(bmp);
    const raw = { width, height, channels: 3 } as const;
    await writeFile(join(folder, "one.bmp"), bmp);
    await sharp(pixels, { raw }).png().toFile(join(folder, "two.png"));
    expect((await decode(join(folder, "two.png"))).pixels).toEqual(pixels);
    const found = await inspect(await loadFolder(folder));
    expect(found.formats).toEqual({ bmp: 1, png: 1 });
    expect(found.duplicates).toHaveLength(1);
  } finally {
    await rm(folder, { recursive: true });
  }
});
