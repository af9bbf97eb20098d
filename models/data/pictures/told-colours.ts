import type { Metadata } from "sharp";
import { type ColourSpace, coloursOfCicp, coloursOfGamma, coloursOfProfile, hdrName } from "./colours.ts";
import { readHeif } from "./headers/heif.ts";
import { type Profile, readProfile } from "./headers/icc.ts";
import { readPng } from "./headers/png.ts";
import { PictureError } from "./picture-error.ts";

/** What a file's samples mean: `profile` where the decoder is to convert by the embedded profile. */
export type ToldColours = ColourSpace | "sRGB" | "profile";

/**
 * The colours that a file tells, by whichever of its statements browsers believe: cICP before a profile before sRGB before gAMA
 * with cHRM in PNG; a profile before code points in AVIF; in other formats a profile.
 * @param bytes undefined for a pipeline of sharp, of which only the profile can be seen
 * @param isOwn whether the decoder cannot convert them, so that a profile must consist of curves
 * @throws PictureError "unsupported" for high dynamic range, and for code points that browsers show nothing for
 */
export function toldColours(
  metadata: Metadata,
  bytes: Uint8Array | undefined,
  path: string,
  isOwn: boolean,
): ToldColours {
  if (bytes && metadata.format === "png") return toldByPng(metadata, bytes, path);
  const profile = metadata.icc && readProfile(metadata.icc);
  if (profile) return toldByProfile(metadata, profile, path, isOwn);
  return bytes && metadata.format === "heif" ? toldByAvif(bytes, path) : "sRGB";
}

function toldByPng(metadata: Metadata, bytes: Uint8Array, path: string): ToldColours {
  const { cicp, profile, isSrgb, gamma, chromaticities } = readPng(bytes);
  if (cicp && (cicp.matrix !== 0 || cicp.range > 1))
    throw unsupported(
      path,
      `Its cICP chunk has the matrix ${cicp.matrix} and range ${cicp.range}, which no PNG can have.`,
    );
  // Samples that leave a margin at both ends are not converted by browsers: they leave the chunk aside.
  if (cicp?.range === 1) {
    expectOrdinaryRange(path, cicp.transfer, "cICP chunk");
    const colours = coloursOfCicp(cicp);
    if (colours) return colours;
  }
  const embedded = profile && readProfile(profile);
  if (embedded) return toldByProfile(metadata, embedded, path);
  return isSrgb || gamma === undefined ? "sRGB" : coloursOfGamma(gamma, chromaticities);
}

/** Browsers take the transfers of video for that of sRGB in AVIF, and show nothing for those of 9 to 12. */
function toldByAvif(bytes: Uint8Array, path: string): ToldColours {
  const told = readHeif(bytes);
  if (!told) return "sRGB";
  expectOrdinaryRange(path, told.transfer, "colour box");
  if (told.transfer >= 9 && told.transfer <= 12)
    throw unsupported(
      path,
      `Its colour box has the transfer ${told.transfer} of ITU-T H.273, which browsers do not show.`,
    );
  const isOwn = [4, 5, 7, 8, 17].includes(told.transfer);
  const transfer = isOwn ? told.transfer : 13;
  return coloursOfCicp({ ...told, transfer }) ?? coloursOfCicp({ primaries: 1, transfer }) ?? "sRGB";
}

/**
 * A profile that consists of curves is taken where the decoder would leave it aside or round it: for grey, and for 16 bits and
 * more. Else the decoder converts. One for another number of channels counts as absent.
 */
function toldByProfile(
  metadata: Pick<Metadata, "space" | "depth">,
  profile: Profile,
  path: string,
  isOwn = false,
): ToldColours {
  expectOrdinaryRange(path, profile.transfer, "ICC profile");
  const { space, depth } = metadata;
  const isGrey = space === "b-w" || space === "grey16";
  const fits =
    space === "cmyk" ? profile.space === "CMYK" : profile.space === "RGB " || (isGrey && profile.space === "GRAY");
  // Colours of other kinds, such as L*a*b*, have no use for one.
  if (!fits) return ["b-w", "grey16", "srgb", "rgb16", "cmyk"].includes(space ?? "") ? "sRGB" : "profile";
  // The decoder drops a profile of three colours beside grey, and any beside 16 bits of grey.
  if (profile.byCurves && (isOwn || isGrey || (depth !== "uchar" && space !== "cmyk")))
    return coloursOfProfile(profile.byCurves);
  if (isOwn || space === "grey16") {
    const what = isOwn ? "samples of this kind" : "16 bits of grey";
    throw unsupported(path, `Its ICC profile needs a table of colours, which is not applied to ${what}.`);
  }
  return "profile";
}

/**
 * The colours by a profile of three channels that the decoder does not see; undefined for bytes that are none.
 * @throws PictureError "unsupported" for one that needs a table of colours, and for high dynamic range
 */
export function coloursByProfile(bytes: Uint8Array, path: string): ColourSpace | undefined {
  const profile = readProfile(bytes);
  const told = profile && toldByProfile({ space: "srgb", depth: "uchar" }, profile, path, true);
  return typeof told === "object" ? told : undefined;
}

/** @throws PictureError "unsupported" for a transfer of high dynamic range */
export function expectOrdinaryRange(path: string, transfer: number | undefined, where: string): void {
  const name = hdrName(transfer);
  if (name)
    throw unsupported(
      path,
      `It has high dynamic range: the ${name} transfer (${transfer} of ITU-T H.273, by its ${where}), which every screen shows in its own way.`,
    );
}

function unsupported(path: string, words: string): PictureError {
  return new PictureError(path, "unsupported", words);
}
