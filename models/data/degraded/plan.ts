import { Random } from "../../../engine/random.ts";
import { type DistortionName, distortions, type LevelSet } from "./distortions.ts";

/**
 * Which copies there are and how they are called: drawn ones beside one another; every kind at every level beside the picture
 * itself, as in KADID-10k; or one kind for each picture at every level, as in KADIS-700k.
 */
export const degradedLayouts = ["copies", "kadid", "kadis"] as const;

export type DegradedLayout = (typeof degradedLayouts)[number];

/** A degraded copy, a row of the table. */
export interface DegradedPicture {
  /** Path of the file below the folder of the copies. */
  readonly name: string;
  /** Path of the picture below its folder. */
  readonly source: string;
  /** "none" at level 0. */
  readonly kind: DistortionName | "none";
  readonly level: number;
}

/** What a plan depends on. */
export interface PlanSettings {
  readonly kinds: readonly DistortionName[];
  readonly levels: readonly number[];
  readonly perPicture: number;
  readonly ranked: boolean;
  readonly seed: number;
  readonly format: "png" | "webp";
  readonly layout: DegradedLayout;
}

/** Whose levels the copies of a layout have. */
export function levelSetOf(layout: DegradedLayout): LevelSet {
  return layout === "copies" ? "own" : "kadid";
}

type Draw = Pick<DegradedPicture, "kind" | "level">;

const clean: Draw = { kind: "none", level: 0 };

/** The copies to be made, by their sources. Draws of a picture depend on its name alone, not on the others. */
export function plan(sources: readonly string[], settings: PlanSettings): DegradedPicture[] {
  const { layout, seed } = settings;
  const named = namers[layout](sources, settings);
  return sources.flatMap((source, i) =>
    draws[layout](new Random(seed, `degrade/${source}`), settings).map((draw) => ({
      name: named(source, i, draw),
      source,
      ...draw,
    })),
  );
}

const draws: Record<DegradedLayout, (random: Random, settings: PlanSettings) => Draw[]> = {
  copies: (random, settings) => (settings.ranked ? rankedDraws : freeDraws)(random, settings),
  kadid: (_, { kinds, levels }) => [clean, ...kinds.flatMap((kind) => levels.map((level) => ({ kind, level })))],
  kadis(random, { kinds, levels }) {
    const kind = kinds[random.integer(kinds.length)]!;
    return [clean, ...levels.map((level) => ({ kind, level }))];
  },
};

function freeDraws(random: Random, { kinds, levels, perPicture }: PlanSettings): Draw[] {
  const pairs = kinds.flatMap((kind) => levels.map((level) => ({ kind, level })));
  return random.shuffle(pairs).slice(0, perPicture);
}

/** Two neighbours among 0 and the levels, for each of some kinds; 0 once. */
function rankedDraws(random: Random, { kinds, levels, perPicture }: PlanSettings): Draw[] {
  const drawn = random.shuffle(kinds).slice(0, perPicture);
  const copies = drawn.flatMap((kind) => {
    const upper = random.integer(levels.length);
    return levels.slice(Math.max(0, upper - 1), upper + 1).map((level) => ({ kind, level }));
  });
  return [clean, ...copies];
}

type Namer = (source: string, number: number, draw: Draw) => string;

const namers: Record<DegradedLayout, (sources: readonly string[], settings: PlanSettings) => Namer> = {
  copies(sources, { format }) {
    const base = baseNames(sources);
    return (source, _, { kind, level }) => `${base(source)}-${kind}-${level}.${format}`;
  },
  // I01.png, I01_<type>_<level>.png
  kadid(sources, { format }) {
    const digits = Math.max(2, String(sources.length).length);
    return (_, number, draw) => `images/I${String(number + 1).padStart(digits, "0")}${typed(draw)}.${format}`;
  },
  kadis(sources, { format }) {
    const base = baseNames(sources);
    return (source, _, draw) =>
      `${draw.kind === "none" ? "ref_imgs" : "dist_imgs"}/${base(source)}${typed(draw)}.${format}`;
  },
};

/** `_<type>_<level>`, two digits each; nothing for the picture itself. */
function typed({ kind, level }: Draw): string {
  if (kind === "none") return "";
  return `_${String(distortions[kind].number).padStart(2, "0")}_${String(level).padStart(2, "0")}`;
}

/** Names without their ends; of "a.jpg" beside "a.png" the whole name stays. */
function baseNames(sources: readonly string[]): (source: string) => string {
  const stem = (source: string) => source.slice(0, source.lastIndexOf("."));
  const owners = Map.groupBy(sources, stem);
  return (source) => (owners.get(stem(source))!.length > 1 ? source : stem(source));
}
