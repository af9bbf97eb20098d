import { expectNames } from "../../engine/arguments.ts";
import { Random } from "../../engine/random.ts";
import { libraryWords, type OptionWords } from "./option-words.ts";
import { DatasetError } from "./problems.ts";

/** What a split needs to know of a row. */
export interface Splittable {
  readonly name: string;
  readonly group?: string;
  readonly split?: string;
}

export interface SplitOptions<Part extends string, R = Splittable> {
  /** Share of each part, in any unit: { labelled: 1, unlabelled: 3, test: 1 }. The order of the parts matters. */
  readonly parts: Readonly<Record<Part, number>>;
  /** An integer, 0 ≤ seed < 2^53. */
  readonly seed: number;
  /**
   * `image`: every row on its own. `group`: rows of one group stay together, as pictures of one scene or reference must;
   * shares are then met as nearly as the groups allow.
   * @default "image"
   */
  readonly by?: "image" | "group";
  /** Class of a row: with it, every part has its share of each class, as nearly as whole rows allow. Not by group. */
  readonly strata?: (row: R) => number;
  /** How messages call the options of data sets. @default by their names in the library */
  readonly words?: OptionWords;
}

const names = {
  parts: true,
  seed: true,
  by: true,
  strata: true,
  words: true,
} satisfies Record<keyof SplitOptions<string>, true>;

/**
 * Divides rows at random by shares. The same seed gives the same parts whatever the order of the rows. By image, each
 * part gets its share rounded to a whole number, and the largest part what is left (10,073 as 1:3:1 → 2015, 6043, 2015).
 * @returns the rows of each part, sorted by name
 * @throws DatasetError when a part would be empty or have none of a class that there is, names repeat, a row has no group although
 * `by` is `group`, or both groups and strata are to be kept;
 * RangeError when a share is not positive (that of a part `test` may be 0) or the seed is no such integer
 */
export function split<R extends Splittable, Part extends string>(
  rows: readonly R[],
  options: SplitOptions<Part, R>,
): Record<Part, R[]> {
  expectNames("split", options, names);
  const parts = Object.keys(options.parts) as Part[];
  const shares = parts.map((part) => options.parts[part]);
  shares.forEach((share, i) => {
    if (!isShare(share, parts[i]!)) {
      throw new RangeError(`The share of "${parts[i]}" must be a positive number, got ${share}.`);
    }
  });
  const byGroup = options.by === "group";
  const { strata, words = libraryWords } = options;
  if (byGroup && strata) {
    throw new DatasetError(
      `Groups stay together, so classes cannot be spread evenly over the parts: pictures of one group may be of several. Leave ${words.strata} out, or split by image.`,
    );
  }
  const units = byGroup ? groupsOf(rows, words) : rows.map((row): [string, R[]] => [row.name, [row]]);
  units.sort(([a], [b]) => compare(a, b));
  const twin = units.findIndex(([name], i) => i > 0 && name === units[i - 1]![0]);
  if (twin >= 0)
    throw new DatasetError(`Two rows have the name "${units[twin]![0]}"; names must be unique to be split.`);

  const shuffled = new Random(options.seed, "split").shuffle(units).map(([, members]) => members);
  const assigned = byGroup
    ? byDeficit(shuffled, shares)
    : strata
      ? byTurn(classByClass(shuffled, strata), shares)
      : byCount(shuffled, shares);
  const result = {} as Record<Part, R[]>;
  parts.forEach((part, i) => {
    const members = assigned[i]!.flat().sort((a, b) => compare(a.name, b.name));
    if (members.length === 0 && shares[i]! > 0) {
      const unit = byGroup ? "groups" : "rows";
      throw new DatasetError(
        `"${part}" would be empty: ${units.length} ${unit} cannot be divided as ${parts.join(" : ")} = ${shares.join(" : ")}.`,
      );
    }
    result[part] = members;
  });
  if (strata) expectEveryClass(rows, result, strata, words);
  return result;
}

/** @throws DatasetError when a part has none of a class that there is */
function expectEveryClass<R extends Splittable>(
  rows: readonly R[],
  parts: Readonly<Record<string, readonly R[]>>,
  classOf: (row: R) => number,
  words: OptionWords,
): void {
  for (const [own, members] of [...Map.groupBy(rows, classOf)].sort(([a], [b]) => a - b)) {
    for (const [part, kept] of Object.entries(parts)) {
      if (kept.some((row) => classOf(row) === own)) continue;
      throw new DatasetError(
        `Class ${own} has ${members.length} of these ${rows.length} pictures, and "${part}" would have none of them: give fewer or larger parts, or fewer classes with ${words.strata}.`,
      );
    }
  }
}

/** A part may have no share when it is for tests: all is then learnt from. */
function isShare(share: number, part: string): boolean {
  return Number.isFinite(share) && (share > 0 || (share === 0 && part === "test"));
}

/**
 * Shares from a ratio such as "1:3:1".
 * @param names the parts, as many as the ratio has numbers; @default three are labelled, unlabelled, test
 * @throws RangeError when the counts differ or a number is not positive; that of a test part may be 0, for a model that is to learn from all
 */
export function parseRatio<Part extends string = "labelled" | "unlabelled" | "test">(
  ratio: string,
  names: readonly Part[] = ["labelled", "unlabelled", "test"] as readonly string[] as readonly Part[],
): Record<Part, number> {
  const shares = ratio.split(":").map(Number);
  if (shares.length !== names.length || !shares.every((share, i) => isShare(share, names[i]!))) {
    throw new RangeError(
      `The \`ratio\` of ${names.join(" : ")} needs ${names.length} positive numbers such as ${names.map(() => 1).join(":")}, ` +
        `got "${ratio}".`,
    );
  }
  return Object.fromEntries(names.map((name, i) => [name, shares[i]!])) as Record<Part, number>;
}

/**
 * The split made by the authors of a data set: rows by the text in their split column.
 * @returns part → rows sorted by name; parts in order of their names
 * @throws DatasetError when a row says no part
 */
export function officialSplit<R extends Splittable>(
  rows: readonly R[],
  words: OptionWords = libraryWords,
): Map<string, R[]> {
  const result = new Map<string, R[]>();
  const sorted = [...rows].sort((a, b) => compare(a.split ?? "", b.split ?? "") || compare(a.name, b.name));
  for (const row of sorted) {
    if (row.split === undefined) {
      throw new DatasetError(`"${row.name}" belongs to no part; name the split column with ${words.columns.split}.`);
    }
    const part = result.get(row.split);
    if (part) part.push(row);
    else result.set(row.split, [row]);
  }
  return result;
}

/** By code unit, the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function groupsOf<R extends Splittable>(rows: readonly R[], words: OptionWords): [string, R[]][] {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    if (row.group === undefined) {
      throw new DatasetError(
        `"${row.name}" has no group; name the group column with ${words.columns.group}, or split by image.`,
      );
    }
    const members = groups.get(row.group);
    if (members) members.push(row);
    else groups.set(row.group, [row]);
  }
  return [...groups];
}

/** Units of one row each in the order of their classes; those of a class stay in their order. */
function classByClass<R>(units: R[][], classOf: (row: R) => number): R[][] {
  return units.toSorted(([a], [b]) => classOf(a!) - classOf(b!));
}

/**
 * Deals the list out one by one, to the part with the largest share / (2 · count + 1), of equals to the first (Sainte-Laguë): every
 * stretch of the list is divided by the shares, not only the whole.
 */
function byTurn<R>(units: R[][], shares: readonly number[]): R[][][] {
  const parts: R[][][] = shares.map(() => []);
  for (const unit of units) {
    const claims = shares.map((share, i) => share / (2 * parts[i]!.length + 1));
    parts[claims.indexOf(Math.max(...claims))]!.push(unit);
  }
  return parts;
}

/** Cuts the list at the rounded shares; the largest share takes the rounding. */
function byCount<R>(units: R[][], shares: readonly number[]): R[][][] {
  const total = shares.reduce((a, b) => a + b, 0);
  const counts = shares.map((share) => Math.round((units.length * share) / total));
  const largest = shares.indexOf(Math.max(...shares));
  counts[largest]! += units.length - counts.reduce((a, b) => a + b, 0);
  let start = 0;
  return counts.map((count) => {
    const cut = units.slice(start, start + Math.max(0, count));
    start += Math.max(0, count);
    return cut;
  });
}

/** Gives each group to the part that is furthest behind its share; of equals, to the first. */
function byDeficit<R>(groups: R[][], shares: readonly number[]): R[][][] {
  const total = shares.reduce((a, b) => a + b, 0);
  const rowCount = groups.reduce((sum, group) => sum + group.length, 0);
  const wanted = shares.map((share) => (rowCount * share) / total);
  const parts: R[][][] = shares.map(() => []);
  for (const group of groups) {
    const next = wanted.indexOf(Math.max(...wanted));
    parts[next]!.push(group);
    wanted[next]! -= group.length;
  }
  return parts;
}
