import { describe, expect, test } from "bun:test";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { transformFlops } from "../../../engine/ops/contraction/winograd.ts";
import { gatherRows } from "../../../engine/ops/gather.ts";
import { concat, permute, slice } from "../../../engine/ops/join.ts";
import { cropAndFlip, resize } from "../../../engine/ops/pictures/image.ts";
import { antialiased } from "../../../engine/ops/pictures/resample.ts";
import { averagePool2d, globalAveragePool, maxPool2d } from "../../../engine/ops/pool.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { type Counted, counted, declaredBy, declaredIn, tracked, varied } from "./declared.ts";

const devices = [
  ["with all features", await sharedDevice()],
  ["plain, with small bindings", await plainDevice()],
] as const;

describe.each(devices)("declared operations of maps and bytes of parts, %s", (_, device) => {
  const pools = [
    { size: [7, 5], channels: 4, kernel: 3, stride: 2, padding: 1 },
    { size: [7, 9], channels: 3, kernel: 2, stride: 3, padding: 0 },
  ] as const;

  test.each(pools)("pools of $size x $channels, kernel $kernel, stride $stride, padding $padding", async (p) => {
    const [images, [height, width]] = [2, p.size];
    const x = tracked(device, [images, height, width, p.channels]);
    const options = { kernel: p.kernel, stride: p.stride, padding: p.padding };
    const [rows, columns] = [height, width].map((n) => Math.floor((n + 2 * p.padding - p.kernel) / p.stride) + 1);
    let [forward, inside, outputs] = [0, 0, 0];
    const looked = new Set<string>();
    for (let n = 0; n < images; n++)
      for (let i = 0; i < rows!; i++)
        for (let j = 0; j < columns!; j++)
          for (let c = 0; c < p.channels; c++) {
            outputs++;
            for (let th = 0; th < p.kernel; th++)
              for (let tw = 0; tw < p.kernel; tw++) {
                forward++;
                const [h, w] = [i * p.stride - p.padding + th, j * p.stride - p.padding + tw];
                if (h < 0 || w < 0 || h >= height || w >= width) continue;
                inside++;
                looked.add([n, h, w, c].join());
              }
          }
    const max = await declaredBy(device, "maxPool2d", () => maxPool2d(x, options));
    expect(max.forward.flops(/pool/)).toBe(forward);
    expect(max.backward.flops(/pool/)).toBe(outputs);
    const words = p.channels % 4 === 0 ? outputs / 4 : outputs;
    expect(max.forward.bytes(/pool/)).toBe(4 * (looked.size + outputs + words));
    const average = await declaredBy(device, "averagePool2d", () => averagePool2d(x, options));
    expect(average.forward.flops(/pool/)).toBe(forward + outputs);
    expect(average.backward.flops(/pool/)).toBe(inside + outputs);
    expect(average.forward.bytes(/pool/)).toBe(4 * (looked.size + outputs));
    const all = await declaredBy(device, "globalAveragePool", () => globalAveragePool(x));
    expect(all.forward.flops(/pool/)).toBe(x.size + images * p.channels);
    expect(all.backward.flops(/pool/)).toBe(images * p.channels);
  });

  test.each([
    { size: [7, 6], kernel: 1, stride: 2, padding: 0 },
    { size: [7, 6], kernel: 3, stride: 2, padding: 1 },
    { size: [6, 7], kernel: 2, stride: 3, padding: 0 },
  ] as const)("conv2d of $size, kernel $kernel, stride $stride: the pixels that are looked at", async (p) => {
    // With few channels lines are laid out anew before they are multiplied.
    const [images, [height, width], channels, columns] = [1, p.size, 12, 4];
    const x = tracked(device, [images, height, width, channels]);
    const weight = tracked(device, [p.kernel, p.kernel, channels, columns]);
    const [rows, across] = [height, width].map((n) => Math.floor((n + 2 * p.padding - p.kernel) / p.stride) + 1);
    const looked = new Set<number>();
    for (let i = 0; i < rows!; i++)
      for (let j = 0; j < across!; j++)
        for (let th = 0; th < p.kernel; th++)
          for (let tw = 0; tw < p.kernel; tw++) {
            const [h, w] = [i * p.stride - p.padding + th, j * p.stride - p.padding + tw];
            if (h >= 0 && w >= 0 && h < height && w < width) looked.add(h * width + w);
          }
    const found = await declaredBy(device, "conv2d", () => conv2d(x, weight, { stride: p.stride, padding: p.padding }));
    const moved = 4 * images * (looked.size * channels + rows! * across! * columns);
    const convolution = /^conv\/(?!lines)/;
    expect(found.forward.bytes(convolution)).toBe(moved + found.forward.calls(convolution) * weight.sizeBytes);
    const gradient = found.backward.bytes(/weight_gradient/) - moved;
    // Beside them the parts of the sum, each as large as the weight.
    expect(gradient).toBeGreaterThan(0);
    expect(gradient % weight.sizeBytes).toBe(0);
  });

  test("resampling: a multiply-add for every weight of both axes", async () => {
    const x = tracked(device, [2, 7, 9, 3]);
    const found = await declaredBy(device, "resize", () => resize(x, { height: 3, width: 5 }));
    const { flops } = counted((c) => {
      const along = (map: ReturnType<typeof antialiased>, lines: number) => {
        for (let line = 0; line < lines; line++)
          for (const row of map.weights) row.reduce((sum, weight) => c(sum + c(weight * line)), 0);
      };
      along(antialiased(7, 3), 2 * 9 * 3);
      along(antialiased(9, 5), 2 * 3 * 3);
    });
    expect(found.forward.flops(/resample/)).toBe(flops);
    expect(found.backward.flops(/resample/)).toBe(flops);
  });

  test("what is cut out of tensors: the part that is read, and what is written", async () => {
    const x = tracked(device, [9, 7, 6]);
    const part = await declaredBy(device, "slice", () => slice(x, [2, 1, 1], [5, 6, 4]));
    expect(part.forward.bytes(/strided/)).toBe(4 * 2 * (3 * 5 * 3));
    expect(part.backward.bytes(/strided/)).toBe(4 * (3 * 5 * 3 + x.size));
    const joined = await declaredBy(device, "concat", () => concat([x, x], 2));
    expect(joined.forward.bytes(/place/)).toBe(2 * 4 * 2 * x.size);
    const small = tracked(device, [4, 5, 3]);
    const turned = await declaredBy(device, "permute", () => permute(small, [2, 0, 1]));
    expect(turned.forward.bytes(/strided/)).toBe(4 * 2 * small.size);

    const pictures = tracked(device, [2, 7, 6, 3]);
    const windows = [
      { top: 1, left: 2, flip: true },
      { top: 0, left: 0 },
    ];
    const crops = await declaredBy(device, "cropAndFlip", () => cropAndFlip(pictures, windows, 4, 3));
    const calls = crops.forward.calls(/window/);
    const table = calls * 2 * 4 * 4;
    expect(crops.forward.bytes(/window/)).toBe(4 * 2 * (2 * 4 * 3 * 3) + table);
    expect(crops.backward.bytes(/window/)).toBe(
      4 * (2 * 4 * 3 * 3 + pictures.size) + crops.backward.calls(/window/) * 32,
    );
  });

  test("rows of a table: those that are asked for, not the table", async () => {
    const [rows, columns] = [50, 5];
    const table = tracked(device, [rows, columns]);
    const indices = Tensor.from(device, Uint32Array.of(7, 1, 49, 1, 30, 12, 3), [7]);
    const found = await declaredBy(device, "gatherRows", () => gatherRows(table, indices));
    expect(found.forward.bytes(/gather\/rows$/)).toBe(4 * (7 + 2 * 7 * columns));
    const { flops } = counted((c) => {
      const sums = new Float32Array(rows * columns);
      for (const row of [7, 1, 49, 1, 30, 12, 3])
        for (let j = 0; j < columns; j++) sums[row * columns + j] = c(sums[row * columns + j]! + j);
    });
    expect(found.backward.flops(/rows_gradient/)).toBe(flops);
    // Starts and places, the rows of dy, and the whole gradient of the table
    expect(found.backward.bytes(/rows_gradient/)).toBe(4 * (rows + 1 + 7 + 7 * columns + rows * columns));
  });

  test("transfers: both sides of a copy, one of a clear", async () => {
    const x = tracked(device, [9, 7]);
    const found = await declaredIn(device, () => {
      Tensor.zeros(device, [9, 7]).dispose();
      concat([x, x]).dispose();
    });
    expect(found.bytes(/^clear$/)).toBe(4 * 63);
    expect(found.bytes(/^copy$/)).toBe(2 * 2 * 4 * 63);
  });
});

/** Bᵀ · d, G · g and Aᵀ · m of shaders/winograd on one line, by their formulas. */
type Lines = Readonly<Record<"input" | "weight" | "output", (line: readonly number[], c: Counted) => number[]>>;

const lines: Readonly<Record<4 | 6, Lines>> = {
  4: {
    input: ([a, b, d, e], c) => [c(a! - d!), c(b! + d!), c(d! - b!), c(b! - e!)],
    weight: ([a, b, d], c) => [a!, c(0.5 * c(c(a! + b!) + d!)), c(0.5 * c(c(a! - b!) + d!)), d!],
    output: ([a, b, d, e], c) => [c(a! + c(b! + d!)), c(c(b! - d!) - e!)],
  },
  6: {
    input: (d, c) => {
      const [A, B] = [0.625 ** 2, 1.5 ** 2];
      const evenA = c(d[4]! - c(B * d[2]!));
      const oddA = c(0.625 * c(d[3]! - c(B * d[1]!)));
      const evenB = c(d[4]! - c(A * d[2]!));
      const oddB = c(1.5 * c(d[3]! - c(A * d[1]!)));
      const first = c(c(c(A * B * d[0]!) - c((A + B) * d[2]!)) + d[4]!);
      const last = c(c(c(A * B * d[1]!) - c((A + B) * d[3]!)) + d[5]!);
      return [first, c(evenA + oddA), c(evenA - oddA), c(evenB + oddB), c(evenB - oddB), last];
    },
    weight: ([a, b, d], c) => {
      const [A, B] = [0.625, 1.5];
      const evenA = c(c(a! + c(A * A * d!)) / (2 * A * A * (A * A - B * B)));
      const oddA = c(b! / (2 * A * (A * A - B * B)));
      const evenB = c(c(a! + c(B * B * d!)) / (2 * B * B * (B * B - A * A)));
      const oddB = c(b! / (2 * B * (B * B - A * A)));
      return [c(a! / (A * A * B * B)), c(evenA + oddA), c(evenA - oddA), c(evenB + oddB), c(evenB - oddB), d!];
    },
    output: (m, c) => {
      const [A, B] = [0.625, 1.5];
      const [evenA, oddA, evenB, oddB] = [c(m[1]! + m[2]!), c(m[1]! - m[2]!), c(m[3]! + m[4]!), c(m[3]! - m[4]!)];
      return [
        c(c(m[0]! + evenA) + evenB),
        c(c(A * oddA) + c(B * oddB)),
        c(c(A ** 2 * evenA) + c(B ** 2 * evenB)),
        c(c(c(A ** 3 * oddA) + c(B ** 3 * oddB)) + m[5]!),
      ];
    },
  },
};

test.each([4, 6] as const)(
  "Winograd's transforms with tiles of %d: every operation, and the convolution is right",
  (size) => {
    const d = Array.from({ length: size }, (_, i) => [...varied(size, i)]);
    const g = Array.from({ length: 3 }, (_, i) => [...varied(3, 7 + i)]);
    const transposed = (m: readonly (readonly number[])[]) => m[0]!.map((_, j) => m.map((row) => row[j]!));
    const both = (line: Lines["input"], m: readonly (readonly number[])[]) =>
      counted((c) => transposed(transposed(m).map((column) => line(column, c))).map((row) => line(row, c)));
    const { input, weight, output } = lines[size];
    const [v, u] = [both(input, d), both(weight, g)];
    const y = both(
      output,
      v.result.map((row, i) => row.map((value, j) => value * u.result[i]![j]!)),
    );
    expect(transformFlops(size)).toEqual({ input: v.flops, weight: u.flops, output: y.flops });
    for (let i = 0; i < size - 2; i++)
      for (let j = 0; j < size - 2; j++) {
        let sum = 0;
        for (let p = 0; p < 3; p++) for (let q = 0; q < 3; q++) sum += d[i + p]![j + q]! * g[p]![q]!;
        expect(Math.abs(y.result[i]![j]! - sum)).toBeLessThan(1e-9);
      }
  },
);
