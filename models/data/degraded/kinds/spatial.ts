import { Random } from "../../../../engine/random.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { drawnWords, extents, runKernel } from "./kernels.ts";
import { histogramOf, otsuThresholds } from "./otsu.ts";

/** Five times, every pixel is taken from a place off by normal numbers in both directions, by cubic convolution. @param deviation in pixels */
export function jitter(x: Tensor, deviation: number, seed: number): Tensor {
  const passes = 5;
  const { height, width } = extents(x);
  return x.device.scope(() => {
    let y = x;
    for (let pass = 0; pass < passes; pass++) {
      const from = y;
      y = Tensor.like(x);
      runKernel("distort/displace", {
        tensors: { x: from, words: drawnWords(x, "jitter", height * width, 2, seed, pass), y },
        constants: { CLIP: pass === passes - 1 },
        parameters: { height, width, deviation },
        invocations: height * width,
        // Two normal numbers (12), weights (26), 16 pixels of three channels (112)
        flops: 150,
      });
    }
    return y;
  });
}

const patchSide = 16;
const patchOff = 8;

/**
 * Patches of 16 x 16 pixels copied to places up to 8 pixels away in both directions, one after the other. Patches of smaller pictures
 * are as large as their shorter side.
 * @param copies how many
 */
export function nonEccentricityPatch(x: Tensor, copies: number, seed: number): Tensor {
  const { height, width } = extents(x);
  const side = Math.min(patchSide, height, width);
  const random = new Random(seed, "non-eccentricity patch");
  // 16 pixels to the borders, as far as there are so many: from there on no move leaves the picture.
  const start = (extent: number) => {
    const margin = Math.min(patchSide, Math.floor((extent - side) / 2));
    return margin + Math.floor(random.uniform() * (extent - side - 2 * margin));
  };
  const moved = (at: number, extent: number) =>
    Math.max(0, Math.min(extent - side, at + Math.trunc((random.uniform() - 0.5) * 2 * patchOff)));
  const moves = Array.from({ length: copies }, () => {
    const [left, top] = [start(width), start(height)];
    const toLeft = moved(left, width);
    return [top, left, moved(top, height), toLeft];
  });
  using list = Tensor.from(x.device, Uint32Array.from(moves.flat()), [copies, 4]);
  const y = copied(x);
  x.device.kernels.run(
    "distort/patches",
    {},
    { moves: list.window(), y: y.window() },
    { width, side, copies },
    [1, 1, 1],
    { bytes: 24 * copies * side * side },
  );
  return y;
}

function copied(x: Tensor): Tensor {
  const y = Tensor.like(x);
  x.device.stream.copy(x.allocation, 0, y.allocation, 0, 4 * x.size);
  return y;
}

/** Reduced to a share of its size, rounded, and enlarged again, by nearest neighbours. */
export function pixelate(x: Tensor, share: number): Tensor {
  const { height, width, channels } = extents(x);
  const y = Tensor.like(x);
  const small = (extent: number) => Math.max(1, Math.round(extent * share));
  runKernel("distort/pixelate", {
    tensors: { x, y },
    parameters: { height, width, channels, small_height: small(height), small_width: small(width) },
    invocations: x.size,
    bytes: 4 * (small(height) * small(width) * channels + x.size),
  });
  return y;
}

/**
 * All samples put into n + 1 intervals by the n thresholds of Otsu over all of R, G and B: the lowest becomes 0, the highest 1, those
 * between become the threshold above them. A picture of one level stays as it is.
 * @param thresholds n
 */
export async function quantization(x: Tensor, thresholds: number): Promise<Tensor> {
  const found = otsuThresholds(await histogramOf(x), thresholds);
  if (found.length === 0) return copied(x);
  const levels = [0, ...found.slice(1).map((level) => level / 255), 1];
  const values = Float32Array.from({ length: 256 }, (_, bin) => levels[found.filter((level) => bin > level).length]!);
  using table = Tensor.from(x.device, values, [256]);
  const y = Tensor.like(x);
  runKernel("distort/table", {
    tensors: { x, values: table, y },
    parameters: { count: x.size },
    invocations: x.size,
    flops: 4,
  });
  return y;
}

const squareSide = 32;

/** Squares of 32 x 32 pixels, or the picture's shorter side, in random colours at random places, later ones over earlier ones. */
export function colorBlock(x: Tensor, count: number, seed: number): Tensor {
  const { height, width } = extents(x);
  const side = Math.min(squareSide, height, width);
  const random = new Random(seed, "color block");
  const squares = Array.from({ length: count }, () => {
    const colour = [random.uniform(), random.uniform(), random.uniform()];
    const left = random.integer(width - side + 1);
    return [random.integer(height - side + 1), left, ...colour];
  });
  using list = Tensor.from(x.device, squares.flat(), [count, 5]);
  const y = Tensor.like(x);
  runKernel("distort/squares", {
    tensors: { x, squares: list, y },
    parameters: { height, width, side, count },
    invocations: height * width,
    bytes: 8 * x.size,
  });
  return y;
}
