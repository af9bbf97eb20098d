// biome-ignore-all lint/suspicious/noControlCharactersInRegex: formats are known by them
/** What the first bytes of a file say: a picture that can be decoded, one that cannot, with its format's name, or neither. */
export type Container = "decodable" | { readonly unsupported: string } | undefined;

/** Bytes that {@link containerOf} looks at. */
export const headBytes = 64;

/** Marks in Latin-1 at the start of a file; `.` stands for any byte. */
const marks: readonly (readonly [mark: RegExp, container: Container])[] = [
  [/^\xff\xd8\xff/, "decodable"], // JPEG
  [/^\x89PNG\r\n\x1a\n/, "decodable"],
  [/^GIF8[79]a/, "decodable"],
  [/^RIFF....WEBP/s, "decodable"],
  // The header's length tells a BMP from a text that begins with these letters.
  [/^BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0/s, "decodable"],
  [/^....ftyp(?:.{4}.{4}(?:.{4})*?)?(?:avif|avis)/s, "decodable"],
  [/^II\*\0.{4}CR/s, { unsupported: "Canon raw" }],
  [/^(?:II[*+]\0|MM\0[*+])/, "decodable"], // TIFF, BigTIFF
  [/^....ftypcrx /s, { unsupported: "Canon raw" }],
  [/^....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)/s, { unsupported: "HEIF" }],
  [/^(?:\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n)/, { unsupported: "JPEG XL" }],
  [/^(?:\0\0\0\x0cjP {2}\r\n\x87\n|\xff\x4f\xff\x51)/, { unsupported: "JPEG 2000" }],
  [/^II\xbc/, { unsupported: "JPEG XR" }],
  [/^8BP[SB]/, { unsupported: "Photoshop" }],
  [/^gimp xcf/, { unsupported: "GIMP" }],
  [/^v\/1\x01/, { unsupported: "OpenEXR" }],
  [/^#\?(?:RADIANCE|RGBE)/, { unsupported: "Radiance HDR" }],
  [/^P[1-6Ff]\s+(?:#[^\n]*\n\s*)*\d|^P7\n(?:WIDTH|#)/, { unsupported: "Netpbm" }],
  [/^(?:FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\0|FOVb|\0MRM|.{6}HEAPCCDR)/s, { unsupported: "camera raw" }],
  [/^qoif/, { unsupported: "QOI" }],
  [/^farbfeld/, { unsupported: "farbfeld" }],
  [/^DDS \x7c/, { unsupported: "DDS" }],
  [/^BPG\xfb/, { unsupported: "BPG" }],
  [/^FLIF[1Q4aDT]/, { unsupported: "FLIF" }],
  [/^SIMPLE {2}=/, { unsupported: "FITS" }],
];

/** The container of a file by its first {@link headBytes} bytes; a copy of a JPEG under any name is one. */
export function containerOf(head: Uint8Array): Container {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString("latin1");
  return marks.find(([mark]) => mark.test(text))?.[1];
}

/** Extensions of pictures in containers that cannot be decoded, and those that are one by their name alone. */
export const unsupportedExtensions: ReadonlySet<string> = new Set(
  (
    "jxl jp2 j2k jpf jpx jpm j2c jxr wdp hdp psd psb xcf exr hdr pic ppm pgm pbm pnm pam pfm qoi tga ico cur dds pcx bpg " +
    "flif heics heifs hif avci"
  ).split(" "),
);

/** Extensions of cameras' raw files. Many are TIFFs of which a decoder sees a small preview alone. */
export const rawExtensions: ReadonlySet<string> = new Set(
  (
    "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw orf pef ptx pxn raf " +
    "raw rw2 rwl sr2 srf srw x3f"
  ).split(" "),
);
