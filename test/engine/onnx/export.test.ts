import { describe, expect, test } from "bun:test";
import {
  amax,
  amin,
  conv2d,
  equal,
  exportOnnx,
  greater,
  importOnnx,
  isInfinite,
  isNan,
  less,
  lessOrEqual,
  linear,
  logicalAnd,
  logicalNot,
  logicalXor,
  logSumExp,
  maxPool2d,
  mean,
  notEqual,
  product,
  relu,
  reshape,
  softmax,
  standardDeviation,
  Tensor,
  topK,
  where,
} from "../../../engine/index.ts";
import type { OnnxModel } from "../../../engine/onnx/model.ts";
import { sharedDevice } from "../device.ts";
import { numbers } from "./numbers.ts";

/** Outputs of a model have the shapes and numbers of tensors of the same names; both are disposed of. */
async function expectSame(found: Awaited<ReturnType<OnnxModel["run"]>>, wanted: Readonly<Record<string, Tensor>>) {
  for (const [name, tensor] of Object.entries(wanted)) {
    const [value, own] = [found[name]!, await tensor.read()];
    expect([name, value.shape]).toEqual([name, [...tensor.shape]]);
    for (const [i, number] of [...(await value.read())].map(Number).entries()) {
      if (Number.isFinite(own[i]!)) expect(number).toBeCloseTo(own[i]!, 5);
      else expect(number).toBe(own[i]!);
    }
    tensor.dispose();
    value.dispose();
  }
}

describe("models that exportOnnx wrote", () => {
  test("are run, to the numbers of the operations themselves", async () => {
    const device = await sharedDevice();
    using weight = Tensor.from(device, numbers(3 * 3 * 3 * 8, 0.2), [3, 3, 3, 8]);
    using rows = Tensor.from(device, numbers(8 * 5), [8, 5]);
    const work = (x: Tensor) => {
      const map = maxPool2d(relu(conv2d(x, weight, { padding: 1 })), { kernel: 2 });
      const places = reshape(map, [1, 9, 8]);
      return softmax(linear(reshape(mean(places, 1), [1, 8]), rows));
    };
    const bytes = await exportOnnx(device, { inputs: { x: [1, 6, 6, 3] }, run: ({ x }) => ({ y: work(x!) }) });
    using model = await importOnnx(bytes, device);
    using x = Tensor.from(device, numbers(108), [1, 6, 6, 3]);
    using wanted = device.scope(() => work(x));
    const { y } = await model.run({ x });
    const [found, own] = await Promise.all([y!.read(), wanted.read()]);
    own.forEach((value, i) => {
      expect(Math.abs((found[i] as number) - value)).toBeLessThan(1e-6);
    });
    y!.dispose();
    const twice = exportOnnx(device, { inputs: { x: [2] }, run: ({ x }) => ({ x: relu(x!) }) });
    await expect(twice).rejects.toThrow('"x" names an input and an output');
    const unknown = exportOnnx(device, { inputs: { x: [2, 4] }, run: ({ x }) => ({ y: topK(x!, 1).values }) });
    await expect(unknown).rejects.toThrow("the operation topK cannot be written as ONNX");
  });

  test("are run where they reduce", async () => {
    const device = await sharedDevice();
    const work = (x: Tensor) => ({
      most: amax(x, [0, 2]),
      least: amin(x, 1, { keepDims: true }),
      all: product(x, -1),
      soft: logSumExp(x, [1, -1]),
      // Made of others, which have counterparts.
      spread: standardDeviation(x, 1),
    });
    const bytes = await exportOnnx(device, { inputs: { x: [2, 3, 4] }, run: ({ x }) => work(x!) });
    using model = await importOnnx(bytes, device);
    using x = Tensor.from(device, numbers(24), [2, 3, 4]);
    await expectSame(
      await model.run({ x }),
      device.scope(() => work(x)),
    );
  });

  test("are run where they compare and choose, also on maps", async () => {
    const device = await sharedDevice();
    using table = Tensor.from(device, [0, 3, 0, 7], [1, 4]);
    using kinds = Tensor.from(device, new Uint32Array([0, 1, 2, 0]), [1, 4]);
    using weight = Tensor.from(device, numbers(36, 0.2), [3, 3, 4, 1]);
    const work = (x: Tensor) => {
      const maps = conv2d(reshape(x, [1, 2, 3, 4]), weight, { padding: 1 });
      return {
        chosen: where(greater(x, 0.2), x, -1),
        either: where(logicalAnd(table, lessOrEqual(x, 0.5)), 2, table),
        words: where(kinds, x, Number.NEGATIVE_INFINITY),
        neither: where(logicalXor(notEqual(x, table), logicalNot(table)), table, x),
        map: where(less(maps, 0), 0, maps),
        odd: where(isNan(x), 0, where(isInfinite(x), 1, equal(x, x))),
      };
    };
    const bytes = await exportOnnx(device, { inputs: { x: [6, 4] }, run: ({ x }) => work(x!) });
    using model = await importOnnx(bytes, device);
    using x = Tensor.from(device, numbers(24), [6, 4]);
    await expectSame(
      await model.run({ x }),
      device.scope(() => work(x)),
    );
  });
});
