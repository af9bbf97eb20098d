import { InspectUsageError } from "./errors.ts";

/** What of a GPU decides how many waves fit. */
export interface Target {
  /** Name that the driver knows it by. */
  readonly name: string;
  /** Cards and chips that have it. */
  readonly cards: string;
  readonly architecture: "GCN" | "RDNA 1" | "RDNA 2" | "RDNA 3" | "RDNA 4";
  /** Lanes that a wave may have. */
  readonly waves: readonly number[];
  /** Waves that a SIMD keeps at most. */
  readonly waveSlots: number;
  /** Vector registers of a SIMD, each of 64 lanes, as the driver (Mesa 25.0) counts them. */
  readonly vectorRegisters: number;
  /** Registers of 64 lanes that are given out together. */
  readonly registerGranule: number;
  /** Scalar registers of a SIMD; undefined where every wave has its own. */
  readonly scalarRegisters?: number;
}

/** SIMDs that share workgroup memory: those of a compute unit of GCN, of a workgroup processor of RDNA. */
export const simdsTogether = 4;

type Facts = Omit<Target, "name" | "cards">;

const gcn = (waveSlots: number, scalarRegisters: number): Facts => ({
  architecture: "GCN",
  waves: [64],
  waveSlots,
  vectorRegisters: 256,
  registerGranule: 4,
  scalarRegisters,
});
const rdna = (generation: 1 | 2 | 3 | 4, vectorRegisters = 512): Facts => ({
  architecture: `RDNA ${generation}`,
  waves: [32, 64],
  waveSlots: generation === 1 ? 20 : 16,
  vectorRegisters,
  registerGranule: generation === 1 ? 4 : vectorRegisters / 64,
});

const families: readonly (readonly [name: string, cards: string, facts: Facts])[] = [
  ["tahiti", "Radeon HD 7950, 7970", gcn(10, 512)],
  ["hawaii", "Radeon R9 290, 390", gcn(10, 512)],
  ["tonga", "Radeon R9 285, 380", gcn(10, 800)],
  ["fiji", "Radeon R9 Fury", gcn(10, 800)],
  ["polaris10", "Radeon RX 470 to 590", gcn(8, 800)],
  ["polaris11", "Radeon RX 460, 560", gcn(8, 800)],
  ["vega10", "Radeon RX Vega 56, 64", gcn(10, 800)],
  ["vega20", "Radeon VII", gcn(10, 800)],
  ["raven", "Ryzen 2000G, 3000G", gcn(10, 800)],
  ["renoir", "Ryzen 4000G, 5000G", gcn(10, 800)],
  ["navi10", "Radeon RX 5600, 5700", rdna(1)],
  ["navi14", "Radeon RX 5500", rdna(1)],
  ["navi21", "Radeon RX 6800, 6900", rdna(2)],
  ["navi22", "Radeon RX 6700", rdna(2)],
  ["navi23", "Radeon RX 6600", rdna(2)],
  ["navi24", "Radeon RX 6400, 6500", rdna(2)],
  ["vangogh", "Steam Deck", rdna(2)],
  ["rembrandt", "Ryzen 6000", rdna(2)],
  ["navi31", "Radeon RX 7900", rdna(3, 768)],
  ["navi32", "Radeon RX 7700, 7800", rdna(3, 768)],
  ["navi33", "Radeon RX 7600", rdna(3)],
  ["phoenix", "Ryzen 7040, 8000G", rdna(3)],
  ["gfx1150", "Ryzen AI 300", rdna(3)],
  ["gfx1151", "Ryzen AI Max", rdna(3)],
  ["gfx1200", "Radeon RX 9060", rdna(4)],
  ["gfx1201", "Radeon RX 9070", rdna(4)],
];

/** GPUs that kernels are compiled for without one: Mesa's RADV has a device for each that compiles and runs nothing. */
export const targets: readonly Target[] = families.map(([name, cards, facts]) => ({ name, cards, ...facts }));

/** The GPUs, one of each generation, that the engine's kernels are looked at on. */
export const usualTargets = ["vega10", "navi10", "navi21", "navi31", "gfx1200", "phoenix"] as const;

/** @throws InspectUsageError naming those there are */
export function targetNamed(name: string): Target {
  const found = targets.find((target) => target.name === name.toLowerCase());
  if (found) return found;
  const known = targets.map((target) => target.name).join(", ");
  throw new InspectUsageError(`there is no GPU "${name}" to compile for; there are ${known}`);
}
