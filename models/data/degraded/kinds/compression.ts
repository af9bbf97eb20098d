import sharp from "sharp";
import type { Tensor } from "../../../../engine/tensor.ts";
import { fromBytes, toBytes } from "./bytes.ts";
import { jpeg2000Bytes } from "./jpeg2000.ts";
import { extents } from "./kernels.ts";

/** A real JPEG encoder and decoder, on the host. @param quality 1 to 100 */
export async function jpeg(x: Tensor, quality: number): Promise<Tensor> {
  const { height, width } = extents(x);
  const raw = { width, height, channels: 3 } as const;
  const file = await sharp(await toBytes(x), { raw })
    .jpeg({ quality })
    .toBuffer();
  return fromBytes(x.device, await sharp(file).raw().toBuffer(), height, width);
}

/** A real JPEG 2000 encoder and decoder, OpenJPEG, on the host. @param ratio bytes of the picture by bytes of the code stream */
export async function jpeg2000(x: Tensor, ratio: number): Promise<Tensor> {
  const { height, width } = extents(x);
  const { pixels } = await jpeg2000Bytes(await toBytes(x), width, height, ratio);
  return fromBytes(x.device, pixels, height, width);
}
