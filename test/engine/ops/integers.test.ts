import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import * as engine from "../../../engine/index.ts";
import { type DataType, Tensor } from "../../../engine/tensor.ts";
import { goldenCases, runWithGradients } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

interface GoldenArray {
  readonly type: DataType;
  readonly shape: number[];
  readonly data: (number | string)[];
}

interface IntegerCase {
  readonly operation: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has its own options
  readonly options: any;
  readonly inputs: GoldenArray[];
  readonly output: GoldenArray;
}

const cases: IntegerCase[] = JSON.parse(readFileSync(new URL("../../golden/integers.json", import.meta.url), "utf8"));

/** All elements as their tensor holds them. */
async function elements(tensor: Tensor): Promise<number[]> {
  return [...(await tensor.readElements())];
}

function run({ operation, options }: IntegerCase, list: Tensor[]): Tensor {
  const work = (engine as unknown as Record<string, (...given: unknown[]) => Tensor>)[operation]!;
  const [x, ...rest] = list;
  const { number, axes, shape, starts, ends, times, before, after, value, axis, reduce, to } = options;
  if (number !== undefined) return work(x, number);
  if (operation === "concat") return work(list, axis);
  const further = {
    slice: [starts, ends],
    pad: [before, after, value],
    scatterElements: [axis, reduce],
    scatterNd: [reduce],
  };
  return work(x, ...rest, ...(further[operation as keyof typeof further] ?? [axes ?? shape ?? times ?? to ?? axis]));
}

describe.each([
  ["against NumPy", sharedDevice],
  ["plain kernels, tensors in windows of 2 KiB", plainDevice],
] as const)("%s", (_, open) => {
  test.each(
    cases.map(
      (each, i) =>
        [
          `${each.operation} ${each.inputs.map(({ type, shape }) => `${type} [${shape}]`)} ${JSON.stringify(each.options)} ${i}`,
          each,
        ] as const,
    ),
  )("%s", async (_title, golden) => {
    const device = await open();
    const made = device.scope(() =>
      run(
        golden,
        golden.inputs.map(({ data, shape, type }) => Tensor.from(device, data.map(Number), shape, type)),
      ),
    );
    const { output } = golden;
    expect([made.dtype, made.shape.join()]).toEqual([output.type, output.shape.join()]);
    const found = await elements(made);
    made.dispose();
    const expected = output.data.map(Number);
    if (output.type !== "f32" || golden.operation === "cast") expect(found).toEqual(expected);
    else
      for (const [i, number] of found.entries())
        expect(Math.abs(number - expected[i]!)).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]!));
  });
});

const device = await sharedDevice();
const whole = (...numbers: number[]) => Tensor.from(device, Int32Array.from(numbers), [numbers.length]);

describe("tensors of i32", () => {
  test("are made of an Int32Array, or of numbers that are named so, and read as they are", async () => {
    const extremes = [0, -1, 2 ** 31 - 1, -(2 ** 31)];
    for (const made of [
      whole(...extremes),
      Tensor.from(device, extremes, [4], "i32"),
      Tensor.from(device, [extremes.slice(0, 2), extremes.slice(2)], [2, 2], "i32"),
      Tensor.from(device, BigInt64Array.from(extremes, BigInt), [4], "i32"),
    ]) {
      expect([made.dtype, made.isFloat, made.sizeBytes]).toEqual(["i32", false, 16]);
      expect([...(await made.readIntegers())]).toEqual(extremes);
      made.dispose();
    }
    using zeros = Tensor.zeros(device, [3], "i32");
    zeros.write([1, -2, 3]);
    expect([...(await zeros.readIntegers())]).toEqual([1, -2, 3]);
    using half = Tensor.from(device, [1.5, -2], [2], device.features.has("shader-f16") ? "f16" : "f32");
    expect([...(await half.read())]).toEqual([1.5, -2]);
  });

  test.each([
    [
      () => Tensor.from(device, [0.5], [1], "i32"),
      "element 0 is 0.5; an i32 tensor holds whole numbers from -2147483648 to 2147483647",
    ],
    [() => Tensor.from(device, [0, 2 ** 31], [2], "i32"), "element 1 is 2147483648; an i32 tensor"],
    [() => Tensor.from(device, Uint32Array.of(2 ** 32 - 1), [1], "i32"), "element 0 is 4294967295; an i32 tensor"],
    [
      () => Tensor.from(device, [-1], [1], "u32"),
      "element 0 is -1; a u32 tensor holds whole numbers from 0 to 4294967295",
    ],
    [() => Tensor.from(device, ["1"] as never, [1], "i32"), 'element 0 is "1", not a number'],
    [
      () => Tensor.from(device, [1], [1], "i64" as never),
      'its type must be "f32" or "f16" or "u32" or "i32" or "u8", got "i64"',
    ],
    [() => engine.add(whole(1), 0.5), "add: b must be a whole number from -2147483648 to 2147483647, got 0.5"],
    [() => engine.add(whole(1), Tensor.from(device, [1], [1])), "add takes i32 elements, found f32 [1] as b"],
    [() => engine.add(whole(1), Tensor.from(device, [1], [1], "u32")), "add takes i32 elements, found u32 [1] as b"],
    [() => engine.divide(whole(1), 2), "divide takes floating-point elements (f32 or f16), found i32 [1] as a"],
    [() => engine.mean(whole(1)), "mean takes floating-point elements (f32 or f16), found i32 [1] as x"],
    [() => engine.relu(whole(1)), "relu takes floating-point elements"],
    [
      () => engine.gatherRows(Tensor.zeros(device, [2, 2]), whole(1)),
      "gatherRows takes u32 elements, found i32 [1] as indices",
    ],
    [
      () => engine.abs(Tensor.from(device, [1], [1], "u32")),
      "abs takes f32 or f16 or i32 elements, found u32 [1] as x",
    ],
  ])("%p", (work, message) => {
    expect(() => device.scope(() => void work())).toThrow(message);
  });

  test("are not read as other types", async () => {
    using x = whole(1);
    using u = cast32(x);
    expect(x.read()).rejects.toThrow("read() is for f32 and f16 tensors; use readIntegers() for i32");
    expect(x.readIndices()).rejects.toThrow("readIndices() is for u32 tensors; use readIntegers() for i32");
    expect(u.readIntegers()).rejects.toThrow("readIntegers() is for i32 tensors; use readIndices() for u32");
  });

  test.skipIf(!device.features.has("shader-f16"))("become f16 and back", async () => {
    using x = whole(-3, 0, 2049, 70000, -70000);
    using half = engine.cast(x, "f16");
    expect(await elements(half)).toEqual([-3, 0, 2048, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    using back = engine.cast(half, "i32");
    expect(await elements(back)).toEqual([-3, 0, 2048, 2 ** 31 - 1, -(2 ** 31)]);
    using words = engine.cast(half, "u32");
    expect(await elements(words)).toEqual([2 ** 32 - 3, 0, 2048, 2 ** 32 - 1, 2 ** 31]);
    using wide = engine.cast(words, "f16");
    expect(wide.dtype).toBe("f16");
    using chosen = engine.where(x, half, 1);
    expect(await elements(chosen)).toEqual([-3, 1, 2048, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  });

  test("of labels below 0 count nothing, as −100 in PyTorch", async () => {
    using logits = Tensor.from(
      device,
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
      [3, 4],
    );
    using labels = whole(2, -100, 1);
    using loss = engine.sparseCrossEntropy(logits, labels, { reduction: "none", ignoreIndex: -100 });
    using known = engine.sparseCrossEntropy(logits, Tensor.from(device, Uint32Array.of(2, 9, 1), [3]), {
      reduction: "none",
    });
    expect(await elements(loss)).toEqual(await elements(known));
    using ones = engine.oneHot(labels, 3);
    expect(await elements(ones)).toEqual([0, 0, 1, 0, 0, 0, 0, 1, 0]);
  });

  test("carry gradients through what they choose", async () => {
    const [golden] = goldenCases("indexing").filter(({ operation }) => operation === "gather");
    const places = Int32Array.from(golden!.options.indices, (place: number) => place - golden!.inputs[0]!.shape[0]!);
    const { output, gradients } = await runWithGradients(device, golden!.inputs, ([x]) =>
      engine.gather(x!, Tensor.from(device, places, golden!.options.shape), golden!.options.axis),
    );
    for (const [i, number] of output.entries()) expect(number).toBeCloseTo(golden!.output[i]!, 5);
    for (const [i, number] of gradients[0]!.entries()) expect(number).toBeCloseTo(golden!.gradients[0]![i]!, 5);
  });
});

describe("tensors of u8", () => {
  const bytes = (...list: number[]) => Tensor.from(device, Uint8Array.from(list), [list.length], "u8");

  test("take a byte for an element, and f32 is still what a Uint8Array makes unless u8 is named", async () => {
    using x = bytes(1, 2, 255, 0, 9);
    expect([x.dtype, x.isFloat, x.sizeBytes]).toEqual(["u8", false, 5]);
    expect(await x.readBytes()).toEqual(Uint8Array.of(1, 2, 255, 0, 9));
    using part = Tensor.from(device, new Uint8Array([9, 8, 7, 6, 5, 4]).subarray(1), [5], "u8");
    expect(await elements(part)).toEqual([8, 7, 6, 5, 4]);
    using zeros = Tensor.zeros(device, [3], "u8");
    expect(await elements(zeros)).toEqual([0, 0, 0]);
    zeros.write([7, 8, 9]);
    expect(await elements(zeros)).toEqual([7, 8, 9]);
    using plain = Tensor.from(device, Uint8Array.of(3), [1]);
    expect(plain.dtype).toBe("f32");
    using none = Tensor.from(device, [], [0, 3], "u8");
    expect(await elements(engine.cast(none, "f32"))).toEqual([]);
    const before = device.memoryUse.usedBytes;
    using _ = Tensor.empty(device, [1024, 1024], "u8");
    expect(device.memoryUse.usedBytes - before).toBe(2 ** 20);
  });

  test("mask attention", async () => {
    const numbers = (seed: number) => Float32Array.from({ length: 24 }, (_, i) => Math.sin(i + seed));
    const [q, k, v] = [1, 2, 3].map((seed) => Tensor.from(device, numbers(seed), [1, 3, 2, 4])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const list = Uint8Array.of(1, 0, 1, 1, 1, 0, 0, 1, 1);
    using masked = engine.attention(q, k, v, { mask: Tensor.from(device, list, [3, 3], "u8") });
    using known = engine.attention(q, k, v, { mask: Tensor.from(device, list, [3, 3]) });
    expect(await elements(masked)).toEqual(await elements(known));
  });

  test.each([
    [() => Tensor.from(device, [256], [1], "u8"), "element 0 is 256; a u8 tensor holds whole numbers from 0 to 255"],
    [
      () => engine.add(bytes(1), bytes(1)),
      "add takes floating-point elements (f32 or f16), found u8 [1] as a; cast it first",
    ],
    [
      () => engine.slice(bytes(1, 2), [0], [1]),
      "slice takes f32 or f16 or u32 or i32 elements, found u8 [2] as x; cast it first",
    ],
    [() => engine.concat([bytes(1), bytes(1)]), "found u8 [1] as tensor 0; cast it first"],
    [() => engine.sum(bytes(1)), "found u8 [1] as x; cast it first"],
    [
      () => engine.gather(Tensor.zeros(device, [2]), bytes(1)),
      "gather takes u32 or i32 elements, found u8 [1] as indices",
    ],
  ])("%p", (work, message) => {
    expect(() => device.scope(() => void work())).toThrow(message);
  });
});

function cast32(x: Tensor): Tensor {
  return engine.cast(x, "u32");
}
