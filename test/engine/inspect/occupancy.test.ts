import { expect, test } from "bun:test";
import { type Needs, occupancyOf } from "../../../engine/inspect/occupancy.ts";
import { targetNamed, targets } from "../../../engine/inspect/targets.ts";

const needs = (given: Partial<Needs>): Needs => ({
  wave: 64,
  vectorRegisters: 24,
  scalarRegisters: 32,
  workgroupBytes: 0,
  invocations: 64,
  ...given,
});
const of = (gpu: string, given: Partial<Needs>) => {
  const { waves, limit } = occupancyOf(targetNamed(gpu), needs(given));
  return [waves, limit];
};

// By AMD's guides: GCN has 256 vector registers a lane and 10 waves, RDNA 1 512 of 64 lanes (1024 of 32) and 20, RDNA 2 16 waves,
// the large RDNA 3 half as many registers again; a compute unit has 64 KiB of workgroup memory, a workgroup processor 128.
test("registers: a register file is divided in granules", () => {
  expect(of("vega10", { vectorRegisters: 128 })).toEqual([2, "registers"]);
  expect(of("vega10", { vectorRegisters: 84 })).toEqual([3, "registers"]);
  expect(of("vega10", { vectorRegisters: 85 })).toEqual([2, "registers"]);
  expect(of("navi21", { vectorRegisters: 128 })).toEqual([4, "registers"]);
  expect(of("navi21", { vectorRegisters: 128, wave: 32 })).toEqual([8, "registers"]);
  // 97 registers of 32 lanes are 112 in granules of 16.
  expect(of("navi21", { vectorRegisters: 97, wave: 32 })).toEqual([9, "registers"]);
  expect(of("navi31", { vectorRegisters: 120, wave: 32 })).toEqual([12, "registers"]);
  expect(of("navi31", { vectorRegisters: 120 })).toEqual([6, "registers"]);
  expect(of("vega10", { scalarRegisters: 102 })).toEqual([7, "registers"]);
});

test("slots: where nothing else is short", () => {
  expect(of("vega10", {})).toEqual([10, "wave slots"]);
  expect(of("polaris10", {})).toEqual([8, "wave slots"]);
  expect(of("navi10", {})).toEqual([20, "wave slots"]);
  expect(of("navi21", { wave: 32 })).toEqual([16, "wave slots"]);
});

test("workgroup memory: 4 workgroups of 256 invocations are 4 waves on each SIMD of GCN, 8 on RDNA's pairs of units", () => {
  const tile = { workgroupBytes: 16384, invocations: 256 };
  expect(of("vega10", tile)).toEqual([4, "workgroup memory"]);
  expect(of("navi21", tile)).toEqual([8, "workgroup memory"]);
  expect(of("navi21", { ...tile, wave: 32 })).toEqual([16, "wave slots"]);
  expect(of("vega10", { workgroupBytes: 65536, invocations: 64 })).toEqual([1, "workgroup memory"]);
});

test("workgroup size: workgroups run whole", () => {
  // 12 waves of 128 registers would fit in the registers of 4 SIMDs of GCN (3 each of 84): one workgroup of 8 does, not one and a half.
  expect(of("vega10", { vectorRegisters: 84, invocations: 512 })).toEqual([2, "workgroup size"]);
  // Two waves a workgroup, 16 workgroups a unit at most.
  expect(of("vega10", { invocations: 128 })).toEqual([8, "workgroup size"]);
});

test("every GPU has a name of its own and takes waves of 64 lanes", () => {
  expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
  for (const { waves } of targets) expect(waves).toContain(64);
  expect(() => targetNamed("navi99")).toThrow('there is no GPU "navi99" to compile for; there are tahiti');
  expect(targetNamed("NAVI31").name).toBe("navi31");
});
