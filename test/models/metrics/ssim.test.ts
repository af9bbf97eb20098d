import { expect, test } from "bun:test";
import { Tensor } from "../../../engine/tensor.ts";
import { ssim } from "../../../models/metrics/ssim.ts";
import { formula } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";

const shape = [1, 23, 17, 3];
const a = formula({ shape, seed: 1, scale: 0.4, shift: 0.5 });
const b = formula({ shape, seed: 4, scale: 0.3, shift: 0.45 }).map((value, i) => 0.7 * a[i]! + 0.3 * value);

/** Equation 13 of Wang et al. in float64, window moments by their definition. */
function reference(x: Float32Array, y: Float32Array): number {
  const [, height, width] = shape as [number, number, number, number];
  const luma = (p: Float32Array, i: number) => 0.299 * p[3 * i]! + 0.587 * p[3 * i + 1]! + 0.114 * p[3 * i + 2]!;
  const gauss = Array.from({ length: 121 }, (_, i) =>
    Math.exp(-(((i % 11) - 5) ** 2 + (Math.floor(i / 11) - 5) ** 2) / 4.5),
  );
  const total = gauss.reduce((s, v) => s + v, 0);
  let sum = 0;
  for (let h = 0; h + 11 <= height; h++) {
    for (let w = 0; w + 11 <= width; w++) {
      const samples = gauss.map((g, i) => {
        const at = (h + Math.floor(i / 11)) * width + w + (i % 11);
        return { g: g / total, x: luma(x, at), y: luma(y, at) };
      });
      const mean = (f: (s: (typeof samples)[number]) => number) => samples.reduce((s, v) => s + v.g * f(v), 0);
      const [mx, my] = [mean((s) => s.x), mean((s) => s.y)];
      const [vx, vy] = [mean((s) => (s.x - mx) ** 2), mean((s) => (s.y - my) ** 2)];
      const cov = mean((s) => (s.x - mx) * (s.y - my));
      sum += ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
    }
  }
  return sum / ((height - 10) * (width - 10));
}

test("agrees with float64, is 1 for equal pictures, and refuses what it cannot compare", async () => {
  const device = await sharedDevice();
  const [x, y] = [a, b].map((data) => Tensor.from(device, data, shape)) as [Tensor, Tensor];
  const [different, equal] = [ssim(x, y), ssim(x, x)];
  expect(await different.item()).toBeCloseTo(reference(a, b), 5);
  expect(await equal.item()).toBeCloseTo(1, 6);
  using small = Tensor.zeros(device, [1, 10, 30, 3]);
  expect(() => ssim(small, small)).toThrow("at least 11");
  expect(() => ssim(x, small)).toThrow("two pictures");
  for (const tensor of [x, y, different, equal]) tensor.dispose();
});
