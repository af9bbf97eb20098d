import { expect, test } from "bun:test";
import {
  bfloatToNumber,
  halfToNumber,
  halvesToNumbers,
  numberToBfloat,
  numberToHalf,
} from "../../../engine/weights/half.ts";

test("every half goes to a number and back", () => {
  for (let half = 0; half < 0x10000; half++) {
    const value = halfToNumber(half);
    if (Number.isNaN(value)) expect(halfToNumber(numberToHalf(value))).toBeNaN();
    else if (numberToHalf(value) !== half) throw new Error(`${half} → ${value} → ${numberToHalf(value)}`);
  }
});

test("all halves at once go to the same numbers, with their signs", () => {
  const halves = Uint16Array.from({ length: 0x10000 }, (_, half) => half);
  const numbers = halvesToNumbers(halves);
  for (const half of halves) {
    if (!Object.is(numbers[half], halfToNumber(half))) throw new Error(`${half} → ${numbers[half]}`);
  }
});

test("every bfloat16 goes to a number and back", () => {
  for (let half = 0; half < 0x10000; half++) {
    const value = bfloatToNumber(half);
    if (Number.isNaN(value)) expect(bfloatToNumber(numberToBfloat(value))).toBeNaN();
    else if (numberToBfloat(value) !== half) throw new Error(`${half} → ${value} → ${numberToBfloat(value)}`);
  }
});

test("numbers in between go to the nearest half, ties to even", () => {
  for (let half = 0; half < 0x7bff; half++) {
    const low = halfToNumber(half);
    const high = halfToNumber(half + 1);
    const middle = (low + high) / 2;
    const even = half % 2 === 0 ? half : half + 1;
    if (numberToHalf(middle) !== even) throw new Error(`${middle} → ${numberToHalf(middle)}, expected ${even}`);
    if (numberToHalf(low + (high - low) * 0.25) !== half) throw new Error(`just above ${low}`);
    if (numberToHalf(low + (high - low) * 0.75) !== half + 1) throw new Error(`just below ${high}`);
  }
  expect(halfToNumber(numberToHalf(65519))).toBe(65504);
  expect(halfToNumber(numberToHalf(65520))).toBe(Number.POSITIVE_INFINITY);
  expect(halfToNumber(numberToHalf(-1e9))).toBe(Number.NEGATIVE_INFINITY);
  expect(bfloatToNumber(numberToBfloat(1.00390625))).toBe(1);
  expect(bfloatToNumber(numberToBfloat(1.01171875))).toBe(1.015625);
});
