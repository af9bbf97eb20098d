import { expect, test } from "bun:test";
import { verdict } from "../../cli/demo.ts";

test("the demo's verdict does not sell chance as progress", () => {
  expect(verdict(0.585, 0.587)).toContain("does NOT clearly beat");
  expect(verdict(0.6, 0.5)).toBe("stage 2 does NOT beat stage 1: SRCC 0.500 against 0.600");
  expect(verdict(0.5, 0.6)).toBe("stage 2 beats stage 1: SRCC 0.600 against 0.500");
  expect(verdict(0.5, Number.NaN)).toContain("does NOT beat");
});
