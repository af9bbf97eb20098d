import { expect, test } from "bun:test";
import { evaluate, evaluateList, namesIn } from "../../../engine/harness/expression.ts";
import { expectUsed, resolveConstants, sweepPoints } from "../../../engine/harness/resolve.ts";

const values: Record<string, number | Record<string, number>> = {
  M: 10,
  T: 4,
  a: { 0: 10, 1: 6, size: 60, bytes: 240 },
};
const scope = (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);

test.each([
  ["ceil(M / T)", 3],
  ["(M - 1) % T + 2 ** 3", 9],
  ["M * -T", -40],
  ["a[1] + a.size", 66],
  ["min(M, T, 7) + max(1, 2)", 6],
  ["M > T ? 1 : 2", 1],
  ["log2(8)", 3],
])("%s is %d", (text, value) => {
  expect(evaluate(text, scope)).toBe(value);
});

test("a list is split at commas outside brackets", () => {
  expect(evaluateList("ceil(M / T), max(1, a[0]), 2", scope)).toEqual([3, 10, 2]);
});

test("names exclude functions and properties", () => {
  expect(namesIn("ceil(M / T) + a.size + a[N]")).toEqual(["M", "T", "a", "N"]);
});

test.each([
  ["M +", /"M \+" at character \d+/],
  ["M T", /operator is missing/],
  ["Q", /Q is neither a constant nor a buffer/],
  ["a", /a is a list; write a\[0\] or a\.size/],
  ["a[2]", /a has no 2; it has 0, 1, size, bytes/],
  ["M / 0", /is Infinity, expected a finite number/],
  ["eval(M)", /unknown function eval/],
  ["constructor", /neither a constant/],
  ["a.constructor", /a has no constructor/],
  ["ceil.constructor(1)", /not an arithmetic expression|unknown function/],
  ["M = 3", /./],
  ["M, T", /holds 2 expressions, expected one/],
])("%s is refused", (text, message) => {
  expect(() => evaluate(text, scope)).toThrow(message);
});

test("constants are numbers, booleans, words, or expressions of others", () => {
  expect(resolveConstants({ OP: "add", N: "64", FAST: "true", G: "N / LANES", LANES: 8 })).toEqual({
    OP: "add",
    N: 64,
    FAST: true,
    G: 8,
    LANES: 8,
  });
  expect(() => resolveConstants({ A: "B + 1", B: "A + 1" })).toThrow("constant A is defined by itself");
  expect(() => resolveConstants({ OP: "add", N: "OP * 2" })).toThrow('constant OP is the word "add", not a number');
});

test("a sweep is every combination, and a constant that nothing uses is refused", () => {
  expect(sweepPoints({ A: [1, 2], B: ["x", "y"] })).toEqual([
    { A: 1, B: "x" },
    { A: 1, B: "y" },
    { A: 2, B: "x" },
    { A: 2, B: "y" },
  ]);
  const description = { buffers: { x: "N" }, grid: "1", constants: { N: 4 } };
  expectUsed(description, "{{WG}}");
  expect(() => expectUsed({ ...description, sweep: { WQ: [1] } }, "{{WG}}")).toThrow("constant WQ is used neither");
});
