import { describe, expect, test } from "bun:test";
import { DatasetError } from "../../../models/data/index.ts";
import { readMat } from "../../../models/data/sets/mat.ts";
import golden from "../../golden/mat.json";

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

describe.each(["plain", "compressed"] as const)("SciPy's files, %s", (kind) => {
  const variables = readMat(bytesOf(golden[kind]), "golden.mat");

  test("numbers of every type, in MATLAB's order", () => {
    for (const [name, { shape, values }] of Object.entries(golden.values)) {
      expect({ name, value: variables.get(name) }).toEqual({ name, value: { kind: "numbers", shape, values } });
    }
  });

  test("text, and cells within cells", () => {
    expect(variables.get("text")).toEqual({ kind: "text", rows: ["picture.JPG"] });
    expect(variables.get("lines")).toEqual({ kind: "text", rows: ["ab", "cd", "é "] });
    const text = (row: string) => ({ kind: "text", rows: [row] }) as const;
    expect(variables.get("mixed")).toEqual({
      kind: "cell",
      shape: [2, 2],
      cells: [
        text("one"),
        { kind: "numbers", shape: [1, 1], values: [2] },
        { kind: "cell", shape: [2, 1], cells: [text("in"), text("side")] },
        text("four"),
      ],
    });
  });

  test("structures and complex numbers are passed over", () => {
    expect(variables.has("skipped")).toBe(false);
    expect(variables.has("complex")).toBe(false);
  });

  test("cut off anywhere or with wrong bytes, the file is read or refused by a DatasetError, never anything else", () => {
    const whole = bytesOf(golden[kind]);
    let refused = 0;
    for (let at = 0; at < whole.length; at += 7) {
      const changed = whole.slice();
      changed[at]! ^= 0xff;
      for (const damaged of [whole.subarray(0, at), changed]) {
        try {
          readMat(damaged, "damaged.mat");
        } catch (error) {
          refused++;
          expect(error).toBeInstanceOf(DatasetError);
        }
      }
    }
    expect(refused).toBeGreaterThan(whole.length / 14);
  });
});

test("the other byte order", () => {
  const bytes = new Uint8Array(128 + 8 + 56);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4d, 0x49], 126);
  // miMATRIX of 56 bytes: flags (mxDOUBLE), dimensions 1 x 1, name "a" as a small element, one double.
  const words = [14, 56, 6, 8, 6, 0, 5, 8, 1, 1, (1 << 16) | 1, 0x61000000, 9, 8];
  for (const [i, word] of words.entries()) view.setUint32(128 + 4 * i, word);
  view.setFloat64(128 + 4 * words.length, 2.5);
  expect(readMat(bytes, "big.mat").get("a")).toEqual({ kind: "numbers", shape: [1, 1], values: [2.5] });
});

test("other files say what they are", () => {
  expect(() => readMat(new TextEncoder().encode(`MATLAB 7.3 MAT-file${" ".repeat(200)}`), "x.mat")).toThrow("-v7");
  expect(() => readMat(new TextEncoder().encode("name,mos"), "x.mat")).toThrow("x.mat is no MAT-file of level 5");
});
