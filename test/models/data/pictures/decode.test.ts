import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../../engine/random.ts";
import { checkPicture, decode, type Picture } from "../../../../models/data/pictures/decode.ts";
import { PictureError } from "../../../../models/data/pictures/picture-error.ts";
import { badPictures } from "../../scoring/fixtures.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-decode-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Colour = readonly [number, number, number];

/** A picture of one colour, as raw input for sharp, 8 or 16 bits per channel. */
function flat(colour: readonly number[], bits: 8 | 16 = 8, width = 16, height = 12) {
  const length = width * height * colour.length;
  const samples = bits === 8 ? new Uint8Array(length) : new Uint16Array(length);
  for (let i = 0; i < length; i++) samples[i] = colour[i % colour.length]! * (bits === 8 ? 1 : 257);
  return sharp(samples, { raw: { width, height, channels: colour.length as 1 | 2 | 3 | 4 } });
}

/** Random blocks: compresses to something big enough to cut. */
function busy(width: number, height: number) {
  const random = new Random(1, "busy");
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => random.integer(256));
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

function expectColour(picture: Picture, colour: Colour, tolerance = 1) {
  expect(picture.pixels.length).toBe(picture.width * picture.height * 3);
  for (const at of [0, picture.pixels.length - 3]) {
    for (let c = 0; c < 3; c++) {
      expect(Math.abs(picture.pixels[at + c]! - colour[c]!)).toBeLessThanOrEqual(tolerance);
    }
  }
}

async function failure(source: string | Uint8Array, options = {}): Promise<PictureError> {
  const outcome = await checkPicture(source, options);
  if (outcome.ok) throw new Error("decoded although it should not");
  return outcome.error;
}

const rose: Colour = [200, 50, 100];

describe("colour", () => {
  test("8-bit RGB keeps its values and its layout", async () => {
    const pixels = Uint8Array.from({ length: 3 * 2 * 3 }, (_, i) => i * 10);
    const png = await sharp(pixels, { raw: { width: 3, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const picture = await decode(png);
    expect(picture).toMatchObject({ width: 3, height: 2 });
    expect([...picture.pixels]).toEqual([...pixels]);
  });

  test("a pipeline of raw samples is taken like one of a file", async () => {
    expectColour(await decode(flat(rose)), rose, 0);
    expectColour(await decode(flat([117])), [117, 117, 117], 0);
  });

  test("grey becomes three equal channels, at 8 and 16 bits", async () => {
    for (const bits of [8, 16] as const) {
      const png = flat([117], bits).toColourspace(bits === 8 ? "b-w" : "grey16");
      expectColour(await decode(await png.png().toBuffer()), [117, 117, 117]);
    }
  });

  test("16-bit RGB is reduced to 8 bits", async () => {
    expectColour(await decode(await flat(rose, 16).toColourspace("rgb16").png().toBuffer()), rose);
  });

  test("an embedded Display P3 profile is converted to sRGB, at 8 and 16 bits", async () => {
    const eight = await flat(rose).withIccProfile("p3").png().toBuffer();
    expect((await sharp(eight).metadata()).hasProfile).toBe(true);
    expectColour(await decode(eight), rose);
    // Written without conversion: the stored P3 numbers 200, 50, 100 are 218, 24, 100 in sRGB.
    const sixteen = await flat(rose, 16).toColourspace("rgb16").withIccProfile("p3").png().toBuffer();
    expectColour(await decode(sixteen), [218, 24, 100], 2);
  });

  test("CMYK becomes RGB by its profile; without one as inks on white, as browsers and Pillow have it", async () => {
    const cmyk = () => flat(rose).toColourspace("cmyk");
    const options = { quality: 100, chromaSubsampling: "4:4:4" };
    const plain = await cmyk().jpeg(options).toBuffer();
    expect((await sharp(plain).metadata()).space).toBe("cmyk");
    const stored = await sharp(plain).pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer();
    const [c, m, y, k] = [...stored.subarray(0, 4)].map((ink) => 1 - ink / 255);
    expectColour(await decode(plain), [255 * c! * k!, 255 * m! * k!, 255 * y! * k!]);
    expectColour(await decode(await cmyk().withIccProfile("cmyk").jpeg(options).toBuffer()), rose, 14);
  });

  test("transparency shows the background: white unless told otherwise", async () => {
    const clear = await flat([200, 50, 100, 0]).png().toBuffer();
    expectColour(await decode(clear), [255, 255, 255], 0);
    expectColour(await decode(clear, { background: "#102030" }), [16, 32, 48], 0);
    const half = await flat([200, 50, 100, 128]).png().toBuffer();
    expectColour(await decode(half), [227, 152, 177], 1);
    const grey = await flat([100, 0]).png().toBuffer();
    expectColour(await decode(grey), [255, 255, 255], 0);
    const deep = await flat([200, 50, 100, 0], 16).toColourspace("rgb16").png().toBuffer();
    expectColour(await decode(deep), [255, 255, 255], 1);
  });

  test("of an animation the first frame is taken", async () => {
    const frames = await Promise.all([rose, [0, 0, 255]].map((colour) => flat(colour).png().toBuffer()));
    for (const format of ["gif", "webp"] as const) {
      const moving = await sharp(frames, { join: { animated: true } })
        .toFormat(format, { lossless: true })
        .toBuffer();
      expect((await sharp(moving).metadata()).pages).toBe(2);
      const picture = await decode(moving);
      expect(picture).toMatchObject({ width: 16, height: 12 });
      expectColour(picture, rose, 4);
    }
  });
});

describe("orientation", () => {
  test("every EXIF orientation decodes upright", async () => {
    // Upright: red, green over blue, white. `stored` undoes what the viewer is told to do.
    const upright = await sharp(Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]), {
      raw: { width: 2, height: 2, channels: 3 },
    })
      .resize(48, 32, { kernel: "nearest", fit: "fill" })
      .png()
      .toBuffer();
    const undo: Record<number, [flop: boolean, angle: number]> = {
      1: [false, 0],
      2: [true, 0],
      3: [false, 180],
      4: [true, 180],
      5: [true, 90],
      6: [false, 270],
      7: [true, 270],
      8: [false, 90],
    };
    for (const [orientation, [flop, angle]] of Object.entries(undo)) {
      const turned = await sharp(upright).rotate(angle).png().toBuffer();
      const stored = await sharp(turned)
        .flop(flop)
        .withMetadata({ orientation: Number(orientation) })
        .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
        .toBuffer();
      const picture = await decode(stored);
      expect([orientation, picture.width, picture.height]).toEqual([orientation, 48, 32]);
      const at = (x: number, y: number) =>
        [...picture.pixels.subarray((y * 48 + x) * 3, (y * 48 + x) * 3 + 3)].map((v) => (v > 127 ? 1 : 0)).join("");
      expect([orientation, at(8, 8), at(40, 8), at(8, 24), at(40, 24)]).toEqual([
        orientation,
        "100",
        "010",
        "001",
        "111",
      ]);
    }
  });
});

describe("shrinking", () => {
  test("only when asked, by powers of two, never below the given side, turned pictures too", async () => {
    const large = await flat(rose, 8, 1000, 640).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await decode(large)).toMatchObject({ width: 640, height: 1000 });
    const shrunk = await decode(large, { shrinkToShorterSide: 150 });
    expect(shrunk).toMatchObject({ width: 160, height: 250 });
    expectColour(shrunk, rose, 3);
    expect(await decode(large, { shrinkToShorterSide: 400 })).toMatchObject({ width: 640, height: 1000 });
    expect(await decode(large, { shrinkToShorterSide: 320 })).toMatchObject({ width: 320, height: 500 });
    await expect(decode(large, { shrinkToShorterSide: 0 })).rejects.toThrow("got 0");
  });
});

describe("what cannot be decoded", () => {
  test("says path, reason and advice", async () => {
    const missing = await failure(join(folder, "absent.jpg"));
    expect(missing).toMatchObject({ reason: "missing", path: join(folder, "absent.jpg") });
    expect(missing.message).toContain("absent.jpg");
    expect(missing.message).toContain(missing.advice);
    expect((await failure(folder)).reason).toBe("not-a-file");
    await writeFile(join(folder, "empty.jpg"), "");
    expect((await failure(join(folder, "empty.jpg"))).reason).toBe("empty");
    await writeFile(join(folder, "text.jpg"), "This is not a picture at all, whatever its name says.");
    expect((await failure(join(folder, "text.jpg"))).reason).toBe("not-a-picture");
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const drawing = await failure(svg, { name: "logo.svg" });
    expect(drawing).toMatchObject({ reason: "unsupported", path: "logo.svg" });
  });

  test("too many pixels", async () => {
    const png = await flat(rose, 8, 100, 50).png().toBuffer();
    const error = await failure(png, { maxPixels: 4999 });
    expect(error.reason).toBe("too-large");
    expect((await checkPicture(png, { maxPixels: 5000 })).ok).toBe(true);
  });

  for (const format of ["jpeg", "png", "webp", "tiff", "gif", "avif"] as const) {
    test(`a ${format} cut off anywhere is refused`, async () => {
      const whole = await busy(96, 96).toFormat(format).toBuffer();
      expect((await checkPicture(whole)).ok).toBe(true);
      for (const share of [0.02, 0.3, 0.6, 0.9]) {
        const cut = whole.subarray(0, Math.floor(whole.length * share));
        const error = await failure(cut, { name: `cut.${format}` });
        expect(error).toBeInstanceOf(PictureError);
        expect(["truncated", "damaged", "not-a-picture"]).toContain(error.reason);
      }
    });
  }

  test("a progressive JPEG without its last scans is refused", async () => {
    const whole = await busy(96, 96).jpeg({ progressive: true }).toBuffer();
    expect((await failure(whole.subarray(0, Math.floor(whole.length * 0.7)))).reason).toBe("truncated");
  });
});

const samples = join(import.meta.dirname, "../../../../../shared/data/decode");
describe.skipIf(!existsSync(samples))("camera and phone JPEGs (skipped without ../shared/data/decode)", () => {
  test("every one decodes upright or gives a PictureError", async () => {
    const refused: string[] = [];
    for (const name of readdirSync(samples)) {
      const path = join(samples, name);
      const outcome = await checkPicture(path);
      if (outcome.ok) {
        const { autoOrient } = await sharp(path, { failOn: "none" }).metadata();
        expect([name, outcome.width, outcome.height]).toEqual([name, autoOrient.width, autoOrient.height]);
      } else {
        expect(outcome.error).toBeInstanceOf(PictureError);
        refused.push(`${name}: ${outcome.error.reason}`);
      }
    }
    expect(refused).toEqual(["jpg_corrupted.jpg: damaged"]);
  });

  test("the eight orientations of one scene come out alike", async () => {
    for (const scene of ["landscape", "portrait"]) {
      const first = await decode(join(samples, `jpg_orientation_${scene}_1.jpg`));
      expect(first.width > first.height).toBe(scene === "landscape");
      for (let orientation = 2; orientation <= 8; orientation++) {
        const other = await decode(join(samples, `jpg_orientation_${scene}_${orientation}.jpg`));
        expect([other.width, other.height]).toEqual([first.width, first.height]);
        let difference = 0;
        for (let i = 0; i < first.pixels.length; i++) difference += Math.abs(first.pixels[i]! - other.pixels[i]!);
        expect(difference / first.pixels.length).toBeLessThan(8);
      }
    }
  });
});

test("pictures that are decoded at the same time get their own reasons", async () => {
  const good = new Uint8Array(await busy(64, 64).png().toBuffer());
  const kinds = Object.values(await badPictures());
  const calls = Array.from({ length: 40 }, (_, i) => [kinds[i % kinds.length]!, decode(good)] as const);
  const reasons = await Promise.all(
    calls.map(async ([{ bytes }]) => {
      const check = await checkPicture(bytes, { maxPixels: 1e6 });
      return check.ok ? "none" : check.error.reason;
    }),
  );
  expect(reasons).toEqual(calls.map(([{ reason }]) => reason));
  for (const [, decoded] of calls) expect((await decoded).width).toBe(64);
});
