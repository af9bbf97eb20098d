import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { checkPicture } from "../../../../models/data/pictures/decode.ts";
import { kindOf } from "../../../../models/data/pictures/kind.ts";
import { tiff } from "./damage/files.ts";

const latin = (text: string) => Buffer.from(text, "latin1");
const ftyp = (major: string, ...more: string[]) =>
  latin(`\0\0\0${String.fromCharCode(16 + 4 * more.length)}ftyp${major}\0\0\0\0${more.join("")}`);

/** Files as they begin, by what is said of them. */
const refusals: Readonly<Record<string, readonly [reason: string, ...files: Buffer[]]>> = {
  "an HTML page": [
    "not-a-picture",
    latin("<!DOCTYPE html>\n<html><head><title>404</title></head></html>"),
    latin("\n\n  <html lang=en><body>Sign in</body></html>"),
    latin('<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN"><html><body/></html>'),
    Buffer.from("\ufeff<!doctype html><title>Not found</title>"),
  ],
  "an XML document": ["not-a-picture", latin('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')],
  "a JSON document": ["not-a-picture", latin('{"error": "unsupported, truncated"}')],
  "a text": ["not-a-picture", latin("premature end of file"), Buffer.from("\ufeffname,mos", "utf16le")],
  "a Git LFS pointer, which stands for a file that was not fetched": [
    "not-a-picture",
    latin("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
  ],
  "a ZIP archive": ["not-a-picture", latin("PK\x03\x04\x14\0\0\0")],
  "a gzip archive": ["not-a-picture", gzipSync("a picture")],
  "a video or a sound (MP4 or QuickTime)": ["not-a-picture", ftyp("isom", "mp42"), ftyp("qt  ")],
  "an SVG drawing": [
    "unsupported",
    latin('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    latin(`<?xml version="1.0"?><!-- ${"drawn ".repeat(300)} --><svg/>`),
  ],
  "a raw photograph (Canon CR3) without a JPEG preview": ["unsupported", ftyp("crx ", "isom")],
  "a raw photograph (Canon CR2) without a JPEG preview": ["unsupported", latin("II*\0\x10\0\0\0CR\x02\0")],
  "a raw photograph (Fujifilm RAF) without a JPEG preview": ["unsupported", latin("FUJIFILMCCD-RAW 0201")],
  "a raw photograph (Panasonic RW2) without a JPEG preview": ["unsupported", latin("IIU\0\x18\0\0\0")],
  "a JPEG XL picture": ["unsupported", latin("\xff\x0a\xfa\x1f"), latin("\0\0\0\x0cJXL \r\n\x87\n")],
  "a JPEG 2000 picture": ["unsupported", latin("\0\0\0\x0cjP  \r\n\x87\n"), latin("\xff\x4f\xff\x51\0")],
  "a Photoshop document (PSD)": ["unsupported", latin("8BPS\0\x01")],
  "a PDF document": ["unsupported", latin("%PDF-1.7\n")],
  "a Windows icon (ICO)": ["unsupported", latin("\0\0\x01\0\x01\0\x10\x10")],
  "a PNM picture": ["unsupported", latin("P6\n2 2\n255\n")],
  "an OpenEXR picture": ["unsupported", latin("\x76\x2f\x31\x01\x02\0\0\0")],
};

for (const [what, [reason, ...files]] of Object.entries(refusals)) {
  test(what, async () => {
    for (const file of files) {
      const check = await checkPicture(file, { name: "holiday.jpg" });
      expect(check.ok || check.error).toMatchObject({ path: "holiday.jpg", reason, detail: `It is ${what}.` });
    }
  });
}

test("a JPEG XL picture comes with what to do", async () => {
  const check = await checkPicture(latin("\xff\x0a\xfa\x1f"));
  expect(check.ok || check.error.advice).toContain("djxl");
});

test("what begins like nothing that is known is told by its bytes", async () => {
  const check = await checkPicture(Uint8Array.of(1, 2, 3, 0xab));
  expect(check.ok || check.error).toMatchObject({
    reason: "not-a-picture",
    detail: "It begins with 01 02 03 ab, as no known picture does.",
  });
});

test("compressions of TIFF that are not known here are named", async () => {
  const names = { 6: "old-style JPEG", 34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard (ZSTD)" };
  const others = { 50001: "WebP", 50002: "JPEG XL", 9: "JBIG" };
  for (const [number, name] of Object.entries({ ...names, ...others })) {
    const { file } = await tiff([{ tag: 259, type: 3, count: 1, value: Number(number) }]);
    // Also where whatever can be decoded is asked for: it would be noise.
    for (const strictness of ["warning", "truncated"] as const) {
      const check = await checkPicture(file, { strictness });
      expect(check.ok || check.error).toMatchObject({
        reason: "unsupported",
        detail: `It is a TIFF with ${name} compression.`,
      });
    }
  }
  const { file } = await tiff([{ tag: 259, type: 3, count: 1, value: 999 }]);
  const check = await checkPicture(file);
  expect(check.ok || check.error).toMatchObject({ detail: "It is a TIFF with the unknown compression 999." });
});

test("every format that can be decoded is known", async () => {
  const image = sharp({ create: { width: 9, height: 7, channels: 3, background: "teal" } });
  for (const format of ["jpeg", "png", "webp", "gif", "tiff", "avif"] as const) {
    expect(kindOf(await image.clone().toFormat(format).toBuffer())).toEqual({ format });
  }
  expect(kindOf(latin("II+\0\x08\0\0\0"))).toEqual({ format: "tiff" });
  expect(kindOf(latin("MM\0*\0\0\0\x08"))).toEqual({ format: "tiff" });
  expect(kindOf(ftyp("mif1", "miaf", "avif"))).toEqual({ format: "avif" });
  for (const file of [ftyp("heic", "mif1"), ftyp("mif1", "heic")]) expect(kindOf(file)).toEqual({ format: "heic" });
});
