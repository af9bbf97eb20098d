import { stringify } from "csv-stringify/sync";
import type { CullDecision, SeenPicture } from "../models/culling/index.ts";
import { asText, printable } from "../models/data/files/file-name.ts";
import { scoreWords } from "./score-words.ts";
import { table } from "./terminal.ts";

/** A picture with what becomes of it, or why it could not be seen. */
export type CullRow = { readonly path: string } & (
  | { readonly seen: SeenPicture; readonly decision: CullDecision }
  | { readonly error: string }
);

const columns = [
  ..."path group groupSize rank decision reason words score low high intervalLow intervalHigh sharpness".split(" "),
  ..."overexposed underexposed noise captured camera width height error".split(" "),
];

export function cullCsv(rows: readonly CullRow[]): string {
  return stringify(
    rows.map((row) => ({ path: asText(row.path), ...cellsOf(row) })),
    { header: true, columns },
  );
}

function cellsOf(row: CullRow): Record<string, unknown> {
  if ("error" in row) return { error: row.error };
  const { group, groupSize, rank, decision, reason, words, sharpness } = row.decision;
  const { look, capture, scored } = row.seen;
  return {
    ...{ group, groupSize, rank, decision, reason, words: asText(words), sharpness },
    ...(scored && { score: scored.score, low: scored.range[0], high: scored.range[1] }),
    ...(scored?.interval && { intervalLow: scored.interval.low, intervalHigh: scored.interval.high }),
    overexposed: look.overexposed,
    underexposed: look.underexposed,
    noise: look.sharpness[0]!.noise,
    captured: capturedWords(row.seen),
    camera: capture.camera,
    width: look.width,
    height: look.height,
  };
}

/** Time of capture as ISO 8601: with Z where the picture tells the offset of its clock, else without any. */
export function capturedWords({ capture: { at, hasOffset } }: SeenPicture): string | undefined {
  if (at === undefined) return undefined;
  const text = new Date(at).toISOString();
  return hasOffset ? text : text.slice(0, -1);
}

export function cullJson(
  rows: readonly CullRow[],
  facts: { readonly model?: string; readonly options: object; readonly interrupted?: true },
): string {
  const pictures = rows.map((row) => {
    if ("error" in row) return { path: asText(row.path), error: row.error };
    const { low, high, intervalLow, intervalHigh, ...cells } = cellsOf(row);
    const range = low === undefined ? {} : { range: [low, high] };
    const interval = intervalLow === undefined ? {} : { interval: { low: intervalLow, high: intervalHigh } };
    const reasons = row.seen.scored?.reasons;
    return { path: asText(row.path), ...cells, ...range, ...interval, ...(reasons && { reasons }) };
  });
  return `${JSON.stringify({ ...facts, pictures }, null, 2)}\n`;
}

export function cullTable(rows: readonly CullRow[]): string {
  const withErrors = rows.some((row) => "error" in row);
  const withScores = rows.some((row) => "seen" in row && row.seen.scored);
  const heads = ["group", "picture", "decision", "sharpness", ...(withScores ? ["score"] : []), "why"];
  const cells = rows.map((row) => {
    const name = printable(row.path);
    if ("error" in row) return ["", name, "", "", ...(withScores ? [""] : []), "", row.error];
    const { group, groupSize, decision, sharpness, words } = row.decision;
    const { scored } = row.seen;
    return [
      String(group),
      name,
      decision,
      groupSize > 1 ? `${Math.round(100 * sharpness)} %` : "",
      ...(withScores ? [scored ? scoreWords(scored, scored.range) : ""] : []),
      words,
      ...(withErrors ? [""] : []),
    ];
  });
  return `${table([...heads, ...(withErrors ? ["error"] : [])], cells)}\n`;
}

/** "412 pictures: 90 groups of 2 or more, 120 alone; 210 kept, 202 rejected". */
export function cullSummary(rows: readonly CullRow[]): string {
  const decisions = rows.flatMap((row) => ("decision" in row ? [row.decision] : []));
  const groups = new Set(decisions.filter(({ groupSize }) => groupSize > 1).map(({ group }) => group)).size;
  const count = (of: (decision: CullDecision) => boolean) => decisions.filter(of).length;
  const alone = count(({ groupSize }) => groupSize === 1);
  const [kept, rejected] = ["keep", "reject"].map((word) => count(({ decision }) => decision === word));
  const counted = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  return `${counted(decisions.length, "picture")}: ${counted(groups, "group")} of 2 or more, ${alone} alone; ${kept} kept, ${rejected} rejected`;
}
