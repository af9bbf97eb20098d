import type { Standing } from "./compare.ts";
import { commonScale } from "./compare.ts";
import type { SeenPicture } from "./picture.ts";

/** What most sets a picture behind another one of its group. */
export type CullReason = (typeof cullReasons)[number];

export const cullReasons = [
  ...(["softer", "motion-blur", "overexposed", "underexposed", "noisier", "compressed"] as const),
  ...(["smaller", "lower-score", "same-file", "no-better"] as const),
] as const;

/** What each respect weighs in the order of a group; fitted on made bursts, see README.md. */
export const weights: Readonly<Record<keyof Standing, number>> = {
  sharpest: 10,
  sharpness: 10,
  overexposed: 50,
  underexposed: 50,
  dark: 5,
  noise: 2.5,
  blocking: 10,
  size: 10,
  score: 4,
};

/** Points below which two pictures of a group are as good as each other. */
const noticed = 0.5;

/** Respects that one reason covers. */
const aspects = {
  softer: ["sharpest", "sharpness"],
  overexposed: ["overexposed"],
  underexposed: ["underexposed", "dark"],
  noisier: ["noise"],
  compressed: ["blocking"],
  smaller: ["size"],
  "lower-score": ["score"],
} as const satisfies Partial<Record<CullReason, readonly (keyof Standing)[]>>;

type Aspect = keyof typeof aspects;

/** A member of a group with its standing. */
export interface Member {
  readonly picture: SeenPicture;
  readonly standing: Standing;
}

/** Points of a standing: 0 for a picture that is behind in nothing, and below. */
export function pointsOf(standing: Standing): number {
  return (Object.keys(weights) as (keyof Standing)[]).reduce((sum, name) => sum + weights[name] * standing[name], 0);
}

/** The respect in which one picture is furthest ahead of another, and by how many points. */
function lead(ahead: Standing, behind: Standing): { aspect: Aspect; points: number } {
  const points = (aspect: Aspect) =>
    aspects[aspect].reduce((sum, name) => sum + weights[name] * (ahead[name] - behind[name]), 0);
  const all = (Object.keys(aspects) as Aspect[]).map((aspect) => ({ aspect, points: points(aspect) }));
  return all.reduce((best, one) => (one.points > best.points ? one : best));
}

/** Why a picture comes behind another one of its group. */
export function reasonBehind(behind: Member, ahead: Member): { reason: CullReason; words: string } {
  const other = shortName(ahead.picture.name);
  if (behind.picture.digest !== undefined && behind.picture.digest === ahead.picture.digest) {
    return { reason: "same-file", words: `same file as ${other}` };
  }
  const { aspect, points } = lead(ahead.standing, behind.standing);
  if (points < noticed) return { reason: "no-better", words: `no better than ${other}` };
  if (aspect === "softer" && isSmeared(behind.picture, ahead.picture)) {
    return { reason: "motion-blur", words: `motion blur: ${sharpnessWords(behind, ahead)}` };
  }
  return { reason: aspect, words: behindWords[aspect](behind, ahead) };
}

const behindWords: Readonly<Record<Aspect, (behind: Member, ahead: Member) => string>> = {
  softer: (behind, ahead) => `softer: ${sharpnessWords(behind, ahead)}`,
  overexposed: ({ picture }) => `overexposed ${share(picture.look.overexposed)}`,
  underexposed: ({ picture }, ahead) =>
    picture.look.underexposed >= 0.01
      ? `underexposed ${share(picture.look.underexposed)}`
      : `darker than ${shortName(ahead.picture.name)}`,
  noisier: (_, ahead) => `noisier than ${shortName(ahead.picture.name)}`,
  compressed: (_, ahead) => `more compressed than ${shortName(ahead.picture.name)}`,
  smaller: ({ picture: { look } }, ahead) =>
    `smaller than ${shortName(ahead.picture.name)}: ${look.width} x ${look.height}`,
  "lower-score": ({ picture }, ahead) => {
    const [own, other] = [picture, ahead.picture].map(({ scored }) => scored!.score.toFixed(0));
    const [first] = picture.scored?.reasons ?? [];
    return `score ${own} against ${other} of ${shortName(ahead.picture.name)}${first ? `; lowered by ${first.reason.replace("-", " ")}` : ""}`;
  },
};

/** In what the first of a group is ahead of the second. */
export function reasonAhead(first: Member, second: Member, count: number): string {
  const { aspect, points } = lead(first.standing, second.standing);
  return `best of ${count}${points >= noticed ? `: ${aheadWords[aspect]}` : ""}`;
}

const aheadWords: Readonly<Record<Aspect, string>> = {
  softer: "sharpest",
  overexposed: "best exposed",
  underexposed: "best exposed",
  noisier: "least noise",
  compressed: "least compressed",
  smaller: "largest",
  "lower-score": "highest score",
};

/** Sharpness of the tiles of two pictures, in shares. */
function sharpnessWords(behind: Member, ahead: Member): string {
  const ratio = Math.exp(behind.standing.sharpest - ahead.standing.sharpest);
  const mean = Math.exp(behind.standing.sharpness - ahead.standing.sharpness);
  return `${share(Math.min(ratio, mean))} of the sharpness of ${shortName(ahead.picture.name)}`;
}

/** Directions that a smear is looked for in, over half a turn. */
const directions = 12;
/** Share of the gradient energy that is left in one direction, over that in another one, of a smear at most. */
const smeared = 0.45;

/** Whether gradients are lost in one direction more than in others: what moved, or was moved, along it. */
function isSmeared(behind: SeenPicture, ahead: SeenPicture): boolean {
  const [own, other] = commonScale([behind, ahead]).map(({ tensor }) => tensor) as [Tensor, Tensor];
  const left = Array.from({ length: directions }, (_, i) => {
    const angle = (Math.PI * i) / directions;
    return energyAlong(own, angle) / Math.max(1e-12, energyAlong(other, angle));
  });
  return Math.min(...left) < smeared * Math.max(...left);
}

type Tensor = readonly [number, number, number];

const energyAlong = ([xx, yy, xy]: Tensor, angle: number) =>
  xx * Math.cos(angle) ** 2 + yy * Math.sin(angle) ** 2 + 2 * xy * Math.cos(angle) * Math.sin(angle);

const share = (value: number) => `${Math.round(100 * value)} %`;

/** The last part of a path. */
function shortName(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
}
