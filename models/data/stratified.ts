import { Random } from "../../engine/random.ts";

export interface StratifiedOptions<Part extends string, R> {
  /** Share of each part, in any unit: { training: 8, validation: 1, test: 1 }. The order of the parts matters. */
  readonly parts: Readonly<Record<Part, number>>;
  /** An integer, 0 ≤ seed < 2^53. */
  readonly seed: number;
  readonly classOf: (row: R) => number;
}

/**
 * Divides the rows of each class at random by the same shares. Of a class, each part gets its share rounded down, and the last
 * part what is left: 225 as 8:1:1 → 180, 22, 23. The same seed gives the same parts whatever the order of the rows.
 * @returns the rows of each part, class by class; a part gets none of a class that is too small for it
 * @throws RangeError when a share is not positive or the seed is no such integer
 */
export function stratifiedSplit<R extends { readonly name: string }, Part extends string>(
  rows: readonly R[],
  { parts, seed, classOf }: StratifiedOptions<Part, R>,
): Record<Part, R[]> {
  const names = Object.keys(parts) as Part[];
  const total = names.reduce((sum, name) => {
    if (parts[name] > 0 && Number.isFinite(parts[name])) return sum + parts[name];
    throw new RangeError(`The share of "${name}" must be a positive number, got ${parts[name]}.`);
  }, 0);
  const result = Object.fromEntries(names.map((name) => [name, [] as R[]])) as Record<Part, R[]>;
  const classes = [...new Set(rows.map(classOf))].sort((a, b) => a - b);
  for (const own of classes) {
    const members = rows.filter((row) => classOf(row) === own).sort((a, b) => (a.name < b.name ? -1 : 1));
    const drawn = new Random(seed, `split of class ${own}`).shuffle(members);
    let start = 0;
    names.forEach((name, i) => {
      // A count that is whole but for the rounding of the shares is whole.
      const whole = Math.floor((drawn.length * parts[name]) / total + 1e-9);
      const count = i === names.length - 1 ? drawn.length - start : whole;
      result[name].push(...drawn.slice(start, start + count));
      start += count;
    });
  }
  return result;
}
