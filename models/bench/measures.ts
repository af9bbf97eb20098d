import { type Benchmark, time } from "../../engine/bench.ts";
import { unpackRgb } from "../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { brisqueFeatures } from "../classic/brisque.ts";
import { niqeBlocks } from "../classic/niqe.ts";
import { fsim, fullReference } from "../metrics/full-reference.ts";

const side = 512;

/** Statistics and measures of a picture that is on the device already, with their read-back. */
export const measureBenchmarks: readonly Benchmark[] = [
  measured("NIQE", (picture) => niqeBlocks(picture)),
  measured("BRISQUE", (picture) => brisqueFeatures(picture)),
  measured("PSNR, SSIM, MS-SSIM and GMSD", (picture, copy) =>
    fullReference(picture, copy, ["psnr", "ssim", "msSsim", "gmsd"]),
  ),
  measured("FSIM", (picture, copy) => fsim(picture, copy)),
];

function measured(what: string, work: (picture: Tensor, copy: Tensor) => Promise<unknown>): Benchmark {
  const name = `${what} of a picture of ${side}`;
  return {
    name,
    async measure(device, runs) {
      const bytes = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * i * 7 + (i >> 4)) & 255);
      using picture = unpackRgb(device, bytes, side, side);
      using copy = unpackRgb(
        device,
        bytes.map((value) => value & 240),
        side,
        side,
      );
      return await time(device, name, runs, undefined, () => work(picture, copy));
    },
  };
}
