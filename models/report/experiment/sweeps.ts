import type { ExperimentRecord, ExperimentVariant } from "./experiment-record.ts";

/** Variants that differ in one number alone, in order of it. */
export interface SweepLine {
  /** What they share against the baseline, such as "affinity cos"; empty when nothing. */
  readonly context: string;
  readonly points: readonly { readonly value: number; readonly variant: ExperimentVariant }[];
}

/** One setting that an experiment went through, with everything else equal along each line. */
export interface Sweep {
  readonly setting: string;
  readonly lines: readonly SweepLine[];
}

type Flat = ReadonlyMap<string, unknown>;

/** Values of a setting from which it counts as gone through, when the recipe's grid does not name it. */
const manyValues = 3;

/** The numeric settings that an experiment went through. Two variants of one value keep the first. */
export function sweepsOf({ variants, baseline, recipe }: ExperimentRecord): Sweep[] {
  const flat = new Map(variants.map((variant) => [variant, flattened(variant.settings)]));
  const base = flat.get(variants.find(({ name }) => name === baseline) ?? variants[0]!);
  const settings = [...new Set([...flat.values()].flatMap((each) => [...each.keys()]))];
  const grid = new Set([...flattened((recipe["grid"] ?? {}) as Record<string, unknown>).keys()]);
  return settings.flatMap((setting) => {
    const numeric = variants.filter((variant) => Number.isFinite(flat.get(variant)!.get(setting)));
    const groups = Map.groupBy(numeric, (variant) => othersOf(flat.get(variant)!, setting));
    const lines = [...groups.values()]
      .map((group): SweepLine => {
        const points = new Map<number, ExperimentVariant>();
        for (const variant of group) {
          const value = flat.get(variant)!.get(setting) as number;
          if (!points.has(value)) points.set(value, variant);
        }
        return {
          context: contextOf(flat.get(group[0]!)!, base, setting),
          points: [...points].map(([value, variant]) => ({ value, variant })).sort((a, b) => a.value - b.value),
        };
      })
      .filter(({ points }) => points.length >= (grid.has(setting) ? 2 : manyValues));
    return lines.length > 0 ? [{ setting, lines }] : [];
  });
}

/** Settings with those of nested objects under names such as "labelNoise.sd". */
function flattened(settings: Readonly<Record<string, unknown>>, prefix = ""): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [name, value] of Object.entries(settings)) {
    const nested = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!nested) flat.set(prefix + name, value);
    else
      for (const [key, each] of flattened(value as Record<string, unknown>, `${prefix}${name}.`)) flat.set(key, each);
  }
  return flat;
}

function othersOf(flat: Flat, setting: string): string {
  const others = [...flat].filter(([name]) => name !== setting).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(others);
}

function contextOf(flat: Flat, base: Flat | undefined, setting: string): string {
  const different = [...flat].filter(
    ([name, value]) => name !== setting && JSON.stringify(value) !== JSON.stringify(base?.get(name)),
  );
  return different.map(([name, value]) => `${name} ${String(value)}`).join(", ");
}
