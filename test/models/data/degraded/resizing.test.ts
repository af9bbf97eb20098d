import { describe, expect, test } from "bun:test";
import { Tensor } from "../../../../engine/tensor.ts";
import { type ResizingFilter, resized } from "../../../../models/data/degraded/kinds/resizing.ts";
import { formula } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import golden from "../../../golden/resizing.json" with { type: "json" };

const device = await sharedDevice();

describe("reduced and enlarged as by Pillow on float pictures", () => {
  test.each(golden.map((each) => [`${each.filter}, ${each.height} x ${each.width} by ${each.factor}`, each] as const))(
    "%s",
    async (_, { filter, height, width, factor, output }) => {
      const shape = [1, height, width, 3];
      const values = formula({ shape, seed: 4, scale: 0.7, shift: 0.5 }).map((v) => Math.min(1, Math.max(0, v)));
      using x = device.scope(() => Tensor.from(device, Float32Array.from(values), shape).keep());
      using y = resized(x, filter as ResizingFilter, factor);
      const found = await y.read();
      expect(found.length).toBe(output.length);
      for (const [i, value] of found.entries()) expect(Math.abs(value - output[i]!)).toBeLessThan(2e-6);
    },
  );
});
