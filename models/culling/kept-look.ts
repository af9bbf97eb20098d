import { z } from "zod";
import { smallSide } from "./likeness.ts";
import type { SeenPicture } from "./picture.ts";

/** Raised with every change of what is measured: what was kept before is then measured again. */
export const lookVersion = 1;

const size = z.int().min(1).max(1_000_000);
// Sums of rounded shares may be a little above 1.
const part = z.number().min(0).max(1.001);
const measure = z.number().min(0).max(1e9);

/** A {@link SeenPicture} without name and score, as JSON. */
export const keptLookSchema = z.strictObject({
  version: z.literal(lookVersion),
  /** SHA-256 of the file, hexadecimal. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Milliseconds since 1970. */
  at: z.number().optional(),
  hasOffset: z.boolean().optional(),
  camera: z.string().max(1000).optional(),
  width: size,
  height: size,
  /** 64 bits, hexadecimal, the second word first. */
  hash: z.string().regex(/^[0-9a-f]{16}$/),
  /** 24 x 24 x 3 signed bytes in base64. */
  outline: z.base64().length(4 * smallSide ** 2),
  brightness: part,
  contrast: part,
  overexposed: part,
  underexposed: part,
  blocking: measure,
  sharpness: z
    .array(
      z.strictObject({
        side: size,
        best: measure,
        mean: measure,
        tensor: z.tuple([z.number(), z.number(), z.number()]),
        noise: measure,
      }),
    )
    .min(1)
    .max(24),
});

export type KeptLook = z.infer<typeof keptLookSchema>;

/** What is to be kept of a picture, 3 kB as JSON; {@link seenOf} gives the same numbers again. */
export function keptLook({ digest, capture, look }: SeenPicture): KeptLook {
  const { hash, outline, sharpness, ...figures } = look;
  const word = (bits: number) => bits.toString(16).padStart(8, "0");
  return {
    version: lookVersion,
    digest: digest!,
    ...capture,
    ...figures,
    hash: word(hash[1]) + word(hash[0]),
    outline: Buffer.from(outline.buffer, outline.byteOffset, outline.byteLength).toString("base64"),
    sharpness: sharpness.map(({ tensor, ...one }) => ({ ...one, tensor: [...tensor] as [number, number, number] })),
  };
}

/** The picture of which that was kept. */
export function seenOf(kept: KeptLook, name: string): SeenPicture {
  const { version: _, digest, at, hasOffset, camera, hash, outline, ...figures } = kept;
  const word = (from: number) => Number.parseInt(hash.slice(from, from + 8), 16);
  return {
    name,
    digest,
    capture: {
      ...(at !== undefined && { at }),
      ...(hasOffset !== undefined && { hasOffset }),
      ...(camera !== undefined && { camera }),
    },
    look: { ...figures, hash: [word(8), word(0)], outline: new Int8Array(Buffer.from(outline, "base64")) },
  };
}
