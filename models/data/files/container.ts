import { kindOf } from "../pictures/kind.ts";

/** What the first bytes of a file say: a picture that can be decoded, one that cannot, with what it is, or no picture. */
export type Container = "decodable" | { readonly unsupported: string } | undefined;

/** Bytes that {@link containerOf} looks at. */
export const headBytes = 1024;

/** The container of a file by its first {@link headBytes} bytes; a copy of a JPEG under any name is one. */
export function containerOf(head: Uint8Array): Container {
  const kind = kindOf(head);
  if (!kind) return undefined;
  if ("format" in kind) return kind.format === "bmp" && !hasBmpHeader(head) ? undefined : "decodable";
  return kind.refusal.isPicture ? { unsupported: kind.refusal.detail } : undefined;
}

/** The length of its second header tells a BMP from a text that begins with these letters. */
function hasBmpHeader(head: Uint8Array): boolean {
  if (head.length < 18) return false;
  const length = new DataView(head.buffer, head.byteOffset).getUint32(14, true);
  return [12, 16, 40, 52, 56, 64, 108, 124].includes(length);
}

/** Extensions of pictures in containers that cannot be decoded, and those that are one by their name alone. */
export const unsupportedExtensions: ReadonlySet<string> = new Set(
  (
    "jxl jp2 j2k jpf jpx jpm j2c jxr wdp hdp psd psb xcf exr hdr pic ppm pgm pbm pnm pam pfm qoi tga ico cur dds pcx bpg " +
    "flif avci"
  ).split(" "),
);

/** Extensions of cameras' raw files. Those whose content is known count as pictures: their previews are shown. */
export const rawExtensions: ReadonlySet<string> = new Set(
  (
    "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw orf pef ptx pxn raf " +
    "raw rw2 rwl sr2 srf srw x3f"
  ).split(" "),
);
