import { expect, test } from "bun:test";
import { writeRows } from "../../../engine/ops/write-rows.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { plainDevice, sharedDevice } from "../device.ts";

test("rows are written at their places, the last of several with one index, none beyond the table or masked out", async () => {
  for (const open of [sharedDevice, plainDevice]) {
    const device = await open();
    const read = device.scope(() => {
      const table = Tensor.from(device, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [4, 3]);
      const x = Tensor.from(
        device,
        Array.from({ length: 21 }, (_, i) => 100 + i),
        [7, 3],
      );
      const indices = Tensor.from(device, Uint32Array.of(2, 0, 2, 9, 3, 2, 1), [7]);
      writeRows(table, x, indices, Tensor.from(device, [1, 1, 0.5, 1, 0, -1, Number.NaN], [7]));
      return { of: table.read() };
    });
    // Row 2: of 0, 2 and 5, the last that counts is 2.
    expect([...(await read.of)]).toEqual([103, 104, 105, 4, 5, 6, 106, 107, 108, 10, 11, 12]);
  }
});

test("a random table is as written one row after the other", async () => {
  const device = await sharedDevice();
  let seed = 7;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const [rows, columns, n] = [50, 5, 64];
  const expected = new Float32Array(rows * columns).map(() => Math.fround(random()));
  const x = new Float32Array(n * columns).map(() => Math.fround(random()));
  const indices = new Uint32Array(n).map(() => Math.floor(random() * 55));
  const mask = new Float32Array(n).map(() => (random() < 0.7 ? 1 : 0));
  const read = device.scope(() => {
    const table = Tensor.from(device, expected, [rows, columns]);
    const made = Tensor.from(device, x, [n, columns]);
    writeRows(table, made, Tensor.from(device, indices, [n]), Tensor.from(device, mask, [n]));
    return { of: table.read() };
  });
  indices.forEach((row, i) => {
    if (mask[i]! > 0 && row < rows) expected.set(x.subarray(i * columns, (i + 1) * columns), row * columns);
  });
  expect(await read.of).toEqual(expected);
});

test("shapes and types that do not go together are refused", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const [table, x, mask] = [[4, 3], [2, 3], [2]].map((shape) => Tensor.zeros(device, shape)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const indices = Tensor.zeros(device, [2], "u32");
    expect(() => writeRows(table, table, indices, mask)).toThrow("found [4,3], [4,3], [2] and [2]");
    expect(() => writeRows(table, x, mask, mask)).toThrow("writeRows takes u32 elements");
    expect(() => writeRows(table, x, indices, Tensor.zeros(device, [3]))).toThrow("a mask [n]");
  });
});
