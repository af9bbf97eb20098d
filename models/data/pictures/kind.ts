import { readsJpegXl } from "./jpeg-xl.ts";
import type { PictureReason } from "./picture-error.ts";

/** Formats that can be decoded here. */
export type PictureFormat = "jpeg" | "png" | "webp" | "gif" | "tiff" | "avif" | "bmp" | "heic" | "raw" | "jxl";

/** What a file is, by its content: a format, what it is instead, or nothing that is known. */
export type Kind =
  | {
      readonly format: PictureFormat;
      /** What kind of raw photograph it is. */
      readonly what?: string;
    }
  | {
      readonly refusal: {
        readonly reason: PictureReason;
        readonly detail: string;
        /** It has pixels, which cannot be decoded here. */
        readonly isPicture: boolean;
      };
    }
  | undefined;

/** First bytes of a format, at `at`: one character a byte. */
type Signature = readonly [start: string, name: string, at?: number];

const formats: readonly Signature[] = [
  ["\xff\xd8\xff", "jpeg"],
  ["\x89PNG\r\n\x1a\n", "png"],
  ["GIF87a", "gif"],
  ["GIF89a", "gif"],
  ["WEBP", "webp", 8],
  ["BM", "bmp"],
];

/** Cameras' raw files, of which the preview is shown. */
const raws: readonly Signature[] = [
  ["II\x2a\0\x10\0\0\0CR", "a raw photograph (Canon CR2)"],
  ["FUJIFILMCCD-RAW", "a raw photograph (Fujifilm RAF)"],
  ["IIRO", "a raw photograph (Olympus ORF)"],
  ["IIRS", "a raw photograph (Olympus ORF)"],
  ["MMOR", "a raw photograph (Olympus ORF)"],
  ["IIU\0", "a raw photograph (Panasonic RW2)"],
  ["HEAPCCDR", "a raw photograph (Canon CRW)", 6],
  ["FOVb", "a raw photograph (Sigma X3F)"],
  ["\0MRM", "a raw photograph (Minolta MRW)"],
];

const jpegXl: readonly Signature[] = [
  ["\xff\x0a", "a JPEG XL picture"],
  ["\0\0\0\x0cJXL ", "a JPEG XL picture"],
];

/** Pictures, or something like them, in formats that cannot be decoded here. */
const unsupported: readonly Signature[] = [
  ["\0\0\0\x0cjP  ", "a JPEG 2000 picture"],
  ["\xff\x4f\xff\x51", "a JPEG 2000 picture"],
  ["8BPS", "a Photoshop document (PSD)"],
  ["\0\0\x01\0", "a Windows icon (ICO)"],
  ["\0\0\x02\0", "a Windows cursor (CUR)"],
  ["gimp xcf", "a GIMP document (XCF)"],
  ["\x76\x2f\x31\x01", "an OpenEXR picture"],
  ["#?RADIANCE", "a Radiance HDR picture"],
  ["#?RGBE", "a Radiance HDR picture"],
  ["DDS ", "a DirectDraw surface (DDS)"],
  ["qoif", "a QOI picture"],
  ["farbfeld", "a farbfeld picture"],
  ["FLIF", "a FLIF picture"],
  ["BPG\xfb", "a BPG picture"],
  ["\x8aMNG\r\n\x1a\n", "an MNG animation"],
  ["SIMPLE  =", "a FITS image"],
  ["DICM", "a DICOM image", 128],
  ["II\xbc\x01", "a JPEG XR picture"],
];

/** Drawings and pages, which have no pixels of their own. */
const documents: readonly Signature[] = [
  ["%PDF-", "a PDF document"],
  ["%!PS", "a PostScript document"],
  ["\xc5\xd0\xd3\xc6", "a PostScript document"],
  ["AT&TFORM", "a DjVu document"],
  ["\xd7\xcd\xc6\x9a", "a Windows metafile"],
  [" EMF", "a Windows metafile", 40],
];

const noPictures: readonly Signature[] = [
  ["PK\x03\x04", "a ZIP archive"],
  ["PK\x05\x06", "an empty ZIP archive"],
  ["\x1f\x8b", "a gzip archive"],
  ["BZh", "a bzip2 archive"],
  ["\xfd7zXZ\0", "an xz archive"],
  ["\x28\xb5\x2f\xfd", "a Zstandard archive"],
  ["Rar!", "a RAR archive"],
  ["7z\xbc\xaf\x27\x1c", "a 7-Zip archive"],
  ["ustar", "a tar archive", 257],
  ["\x1a\x45\xdf\xa3", "a Matroska or WebM video"],
  ["AVI ", "an AVI video", 8],
  ["WAVE", "a WAV sound", 8],
  ["FLV\x01", "a Flash video"],
  ["\0\0\x01\xba", "an MPEG video"],
  ["\0\0\x01\xb3", "an MPEG video"],
  ["ID3", "an MP3 sound"],
  ["OggS", "an Ogg sound or video"],
  ["fLaC", "a FLAC sound"],
  ["SQLite format 3", "an SQLite database"],
  ["\x7fELF", "a program"],
  ["MZ", "a program"],
  ["\0asm", "a program"],
  ["\0\x05\x16\x07", "an AppleDouble file, which holds what macOS knows about a picture and not the picture"],
  ["bplist00", "a property list"],
  ["{\\rtf", "an RTF document"],
  ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"],
  ["\0\0\0\0", "a file that begins with zero bytes: it may be the empty place of a copy that did not end"],
];

/** What the brands of an ISO base media file stand for; the first that a file names decides. */
const brands: readonly (readonly [RegExp, Kind])[] = [
  [/^crx $/, { format: "raw", what: "a raw photograph (Canon CR3)" }],
  [/^(heic|heix|heim|heis|hevc|hevx|hevm|hevs|mif1|msf1|mif2|miaf)$/, { format: "heic" }],
  [/^jp2 $|^jpx $|^jpm $/, picture("a JPEG 2000 picture")],
];

/** Tells by the first bytes what a file is. */
export function kindOf(bytes: Uint8Array): Kind {
  const start = String.fromCharCode(...bytes.subarray(0, 1024));
  const found = (list: readonly Signature[]) => list.find(([text, , at = 0]) => start.startsWith(text, at))?.[1];
  const raw = found(raws);
  if (raw) return { format: "raw", what: raw };
  const isJpegXl = found(jpegXl);
  // Not every build of the decoder has it.
  if (isJpegXl) return readsJpegXl() ? { format: "jxl" } : picture(isJpegXl);
  const undecodable = found(unsupported);
  if (undecodable) return picture(undecodable);
  const document = found(documents);
  if (document) return refusal("unsupported", document);
  const format = found(formats);
  if (format) return { format: format as PictureFormat };
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return { format: "tiff" };
  if (start.startsWith("ftyp", 4)) return mediaKind(start);
  if (/^P[1-6Ff]\s+(?:#[^\n]*\n\s*)*-?\d|^P7\s+(?:WIDTH|#)/.test(start)) return picture("a PNM picture");
  const other = found(noPictures);
  return other ? refusal("not-a-picture", other) : textKind(bytes, start);
}

function refusal(reason: PictureReason, what: string): Kind {
  return { refusal: { reason, detail: `It is ${what}.`, isPicture: false } };
}

/** One of a kind that cannot be decoded here. */
function picture(what: string): Kind {
  return { refusal: { reason: "unsupported", detail: `It is ${what}.`, isPicture: true } };
}

function mediaKind(start: string): Kind {
  const length = start.charCodeAt(2) * 256 + start.charCodeAt(3);
  const named = [start.slice(8, 12), ...(start.slice(16, length).match(/[\s\S]{4}/g) ?? [])];
  if (named.some((brand) => /^avi[fs]$/.test(brand))) return { format: "avif" };
  const kind = brands.find(([pattern]) => named.some((brand) => pattern.test(brand)))?.[1];
  return kind ?? refusal("not-a-picture", "a video or a sound (MP4 or QuickTime)");
}

/** What a text file is by its beginning, which is what a server sends in place of a picture. */
const texts: readonly (readonly [RegExp, string])[] = [
  [/^version https:\/\/git-lfs/, "a Git LFS pointer, which stands for a file that was not fetched"],
  [/^<(!doctype )?svg[\s>/]/i, "an SVG drawing"],
  [/^<(!doctype )?(html|head|body)[\s>]/i, "an HTML page"],
  [/^<[a-z!?]/i, "an XML document"],
  [/^[{[]/, "a JSON document"],
];

function textKind(bytes: Uint8Array, start: string): Kind {
  const isWide = /^(\xff\xfe|\xfe\xff)/.test(start);
  const text = (isWide ? start.slice(2).replaceAll("\0", "") : start).replace(/^\xef\xbb\xbf/, "").trimStart();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters tell a binary file from a text
  const isText = text.length > 0 && !/[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
  if (!isText) return undefined;
  // What XML begins with may be long: comments, and instructions to programs.
  const more = text + String.fromCharCode(...bytes.subarray(1024, 8192));
  const root = more.replaceAll(/^\s*(<\?[\s\S]*?\?>|<!--[\s\S]*?-->|\s)*/g, "");
  const what = texts.find(([pattern]) => pattern.test(root || text))?.[1] ?? "a text";
  return refusal(/SVG/.test(what) ? "unsupported" : "not-a-picture", what);
}
