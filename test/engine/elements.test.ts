import { describe, expect, test } from "bun:test";
import { Tensor } from "../../engine/tensor.ts";
import { sharedDevice } from "./device.ts";

const device = await sharedDevice();

/** Data as JavaScript may give it. */
const from = (data: unknown, shape: readonly number[]) => Tensor.from(device, data as number[], shape);

async function numbers(tensor: Tensor): Promise<number[]> {
  const values = Array.from(await (tensor.dtype === "u32" ? tensor.readIndices() : tensor.read()));
  tensor.dispose();
  return values;
}

describe("elements of a tensor", () => {
  test.each([
    ["Float32Array", Float32Array.of(1.5, -2), [1.5, -2]],
    ["Float64Array", Float64Array.of(0.1, -2), [Math.fround(0.1), -2]],
    ["Float16Array", Float16Array.of(1.5, -2), [1.5, -2]],
    ["Int8Array", Int8Array.of(-128, 127), [-128, 127]],
    ["Uint8Array", Uint8Array.of(0, 255), [0, 255]],
    ["Uint8ClampedArray", Uint8ClampedArray.of(0, 300), [0, 255]],
    ["Int16Array", Int16Array.of(-32768, 32767), [-32768, 32767]],
    ["Uint16Array", Uint16Array.of(0, 65535), [0, 65535]],
    ["BigInt64Array", BigInt64Array.of(-5n, 2n ** 40n), [-5, 2 ** 40]],
    ["BigUint64Array", BigUint64Array.of(5n, 2n ** 63n), [5, 2 ** 63]],
    ["Buffer", Buffer.from([1, 200]), [1, 200]],
    ["list", [1.5, Number.POSITIVE_INFINITY], [1.5, Number.POSITIVE_INFINITY]],
  ])("are converted from a %s as numbers", async (_, data, expected) => {
    const tensor = from(data, [2]);
    expect(tensor.dtype).toBe("f32");
    expect(await numbers(tensor)).toEqual(expected);
  });

  test("of a Uint32Array are indices; windows of longer arrays are taken where they start", async () => {
    const indices = from(new Uint32Array([9, 1, 2 ** 32 - 1]).subarray(1), [2]);
    expect(indices.dtype).toBe("u32");
    expect(await numbers(indices)).toEqual([1, 2 ** 32 - 1]);
    expect(await numbers(from(new Int16Array([9, -7, 3, 4]).subarray(1, 3), [2]))).toEqual([-7, 3]);
    expect(await numbers(from(new Float64Array([9, 0.5, 3]).subarray(1), [2]))).toEqual([0.5, 3]);
  });

  test("of lists in each other are those of the shape", async () => {
    expect(await numbers(from([[1, 2, 3], [4, 5, 6]], [2, 3]))).toEqual([1, 2, 3, 4, 5, 6]); // biome-ignore format: rows
    expect(await numbers(from([[[1], [2]]], [1, 2, 1]))).toEqual([1, 2]);
    for (const [data, place] of [
      [[[1, 2], [3]], "data[1] is not a list of 2"],
      [[[1, 2], 3], "data[1] is not a list of 2"],
      [
        [
          [1, 2],
          [3, [4]],
        ],
        "data[1][1] is not a number",
      ],
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        "data[0] is not a list of 2",
      ],
    ] as const)
      expect(() => from(data, [2, 2])).toThrow(place);
  });

  test.each([
    [BigInt64Array.of(1n, 2n ** 24n + 1n), [2], "element 1 is 16777217n, which f32 does not hold exactly"],
    [BigInt64Array.of(1n, 2n ** 53n + 1n), [2], "element 1 is 9007199254740993n"],
    [Float64Array.of(1, 1e39), [2], "element 1 is 1e+39, beyond the range of f32"],
    [[1, -1e300], [2], "element 1 is -1e+300, beyond the range of f32"],
    [["1", 2], [2], 'element 0 is "1", not a number'],
    [[1, undefined], [2], "element 1 is undefined, not a number"],
    [[1, null], [2], "element 1 is null, not a number"],
    [new Array(2), [2], "element 0 is undefined, not a number"],
    [[1, true], [2], "element 1 is true, not a number"],
    [[1, { a: 1 }], [2], "element 1 is { a: 1 }, not a number"],
    [new DataView(new ArrayBuffer(8)), [2], "found a DataView of 8 bytes; say what its bytes are"],
    [new ArrayBuffer(8), [2], "found an ArrayBuffer; say what its bytes are"],
    ["12", [2], 'found "12"'],
    [new Set([1, 2]), [2], "found a Set"],
    [5, [1], "found 5"],
    [undefined, [1], "found undefined"],
    [null, [1], "found null"],
    [Buffer.from(new Uint8Array(8)), [2], "8 were given; bytes of f32 are given as new Float32Array"],
    [[1, 2, 3], [2], "[2] has 2 elements, 3 were given"],
  ])("that are none are refused: %p", (data, shape, message) => {
    const { usedBytes } = device.memoryUse;
    expect(() => from(data, shape)).toThrow(message);
    expect(device.memoryUse.usedBytes).toBe(usedBytes);
  });

  test("that are written take the type of the tensor", async () => {
    using floats = Tensor.zeros(device, [2]);
    floats.write(Uint32Array.of(7, 8));
    expect(Array.from(await floats.read())).toEqual([7, 8]);
    floats.write(Int32Array.of(-7, 8));
    expect(Array.from(await floats.read())).toEqual([-7, 8]);
    using indices = Tensor.zeros(device, [2], "u32");
    indices.write(Float32Array.of(7, 8));
    expect(Array.from(await indices.readIndices())).toEqual([7, 8]);
    for (const wrong of [
      [-1, 0],
      [0.5, 0],
      [Number.NaN, 0],
      [2 ** 32, 0],
    ])
      expect(() => indices.write(wrong)).toThrow("a u32 tensor holds whole numbers from 0 to 4294967295");
    expect(() => floats.write(Uint32Array.of(2 ** 24 + 1, 0))).toThrow("does not hold exactly");
    expect(Array.from(await indices.readIndices())).toEqual([7, 8]);
  });
});
