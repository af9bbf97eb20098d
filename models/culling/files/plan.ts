import { lstatSync, type Stats } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { onDisk } from "../../data/files/file-name.ts";
import { reasonOf } from "../../data/files/reason-of.ts";
import { companionsOf } from "./companions.ts";
import { isThere, type Step } from "./step.ts";

export interface Choice {
  readonly path: string;
  readonly decision: "keep" | "reject";
}

export interface Plan {
  /** Pictures with their companions right behind them. */
  readonly steps: readonly Step[];
  /** What stays where it is, and why. */
  readonly left: readonly { readonly path: string; readonly why: string }[];
}

/**
 * Where files go: `folder/keep/…` and `folder/reject/…`, at the place that they have below a root; companions go along. Where a name is taken, the picture and its companions get
 * `-2`, `-3`, … behind their common part. Nothing is changed.
 * @param roots folders whose inner order is kept; a picture below none of them lies at the top
 */
export async function planPlaces(
  choices: readonly Choice[],
  { folder, roots }: { readonly folder: string; readonly roots: readonly string[] },
): Promise<Plan> {
  const decided = new Map(choices.map(({ path, decision }) => [resolve(path), decision]));
  // What two pictures could take along goes with the one that is kept.
  const paths = [...decided.keys()].sort(
    (a, b) => Number(decided.get(b) === "keep") - Number(decided.get(a) === "keep"),
  );
  const companions = await companionsOf(paths);
  const within = roots.map((root) => resolve(root));
  const taken = new Set<string>();
  const steps: Step[] = [];
  const left: { path: string; why: string }[] = [];
  for (const path of decided.keys()) {
    const info = statOf(path);
    if (typeof info === "string") {
      left.push({ path, why: info });
      continue;
    }
    const own = [{ path, info }];
    for (const other of companions.get(path) ?? []) {
      const found = statOf(other);
      if (typeof found === "string") left.push({ path: other, why: found });
      else own.push({ path: other, info: found });
    }
    const root = within.find((one) => path.startsWith(one.endsWith(sep) ? one : one + sep));
    const below = root === undefined ? "" : relative(root, dirname(path));
    const place = join(resolve(folder), decided.get(path)!, below);
    const common = commonPart(own.map((one) => basename(one.path)));
    const targets = freeNames(
      own.map((one) => basename(one.path)),
      common,
      place,
      taken,
    );
    own.forEach((one, i) => {
      taken.add(targets[i]!);
      steps.push({ from: one.path, to: targets[i]!, size: one.info.size, modifiedMs: one.info.mtimeMs });
    });
  }
  return { steps, left };
}

function statOf(path: string): Stats | string {
  try {
    const info = lstatSync(onDisk(path));
    if (info.isSymbolicLink()) return "It is a link; links stay where they are.";
    return info.isFile() ? info : "It is no file.";
  } catch (error) {
    return `It cannot be found: ${reasonOf(error)}.`;
  }
}

/** Letters that the names of a picture and its companions begin with, up to an extension. */
function commonPart(names: readonly string[]): number {
  return Math.min(...names.map((name) => Math.max(1, name.indexOf(".", 1) < 0 ? name.length : name.indexOf(".", 1))));
}

function freeNames(names: readonly string[], common: number, place: string, taken: ReadonlySet<string>): string[] {
  for (let copy = 1; ; copy++) {
    const mark = copy === 1 ? "" : `-${copy}`;
    const targets = names.map((name) => join(place, name.slice(0, common) + mark + name.slice(common)));
    if (targets.every((target) => !taken.has(target) && !isThere(target))) return targets;
  }
}
