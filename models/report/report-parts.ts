import { dash, decimals, numberOf } from "../../engine/profile/page/words.ts";
import { constantName, type RunRecord, trainingOf } from "../training/run-record.ts";
import type { Point } from "./chart.ts";
import type { Block, Cell } from "./page.ts";

export { bytes, dash, dateAndTime, decimals, numberOf, percent } from "../../engine/profile/page/words.ts";

/** "1 picture", "233 pictures". */
export function pictureCount(count: unknown): string {
  return `${decimals(count, 0)} ${count === 1 ? "picture" : "pictures"}`;
}

/** Two significant digits for numbers of any magnitude, e.g. residuals. */
export function magnitude(value: unknown): Cell {
  const number = numberOf(value);
  if (Number.isNaN(number)) return dash;
  return number !== 0 && Math.abs(number) < 1e-3 ? number.toExponential(1) : Number(number.toPrecision(2));
}

/** "3.4 s", "12 min 05 s", "1 h 02 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return dash;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const two = (value: number) => String(value).padStart(2, "0");
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Mean over a window around each value; shorter at the ends, so that it stays centred. */
export function movingMean(points: readonly Point[], window: number): Point[] {
  const half = Math.floor(window / 2);
  const sums = [0];
  for (const [, y] of points) sums.push(sums[sums.length - 1]! + y);
  return points.map(([x], i) => {
    const reach = Math.min(half, i, points.length - 1 - i);
    return [x, (sums[i + reach + 1]! - sums[i - reach]!) / (2 * reach + 1)];
  });
}

/** At most `limit` items, taken at equal distances. */
export function thinned<Item>(items: readonly Item[], limit: number): readonly Item[] {
  if (items.length <= limit) return items;
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)]!);
}

/** Points in one chart; more would make the page heavy and add nothing that the eye can tell apart. */
export const mostPoints = 2000;

/** What a caption adds when not all points are drawn. */
export function drawn(points: readonly unknown[]): string {
  return points.length > mostPoints ? `; ${mostPoints} of them are drawn` : "";
}

/** Ends of an axis that holds the range and every value; round when a value lies outside the range. */
export function axisEnds(range: readonly unknown[], values: readonly number[]): { minimum?: number; maximum?: number } {
  const all = [...range.map(numberOf), ...values].filter(Number.isFinite);
  const low = all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = all.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (!(high > low)) return {};
  const decimal = Math.floor(Math.log10(high - low)) - 1;
  const round = (value: number, to: (scaled: number) => number) =>
    Number((to(value / 10 ** decimal) * 10 ** decimal).toFixed(Math.max(0, -decimal)));
  return {
    minimum: low === range[0] ? low : round(low, Math.floor),
    maximum: high === range[1] ? high : round(high, Math.ceil),
  };
}

/** Sum of what is a number. */
export function sum(values: readonly unknown[]): number {
  return values.map(numberOf).reduce((total, value) => total + (Number.isNaN(value) ? 0 : value), 0);
}

export function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Name of a phase by its stage: those that were trained are known by their time, which is told in their order. */
export function phaseName({ phases, losses }: Pick<RunRecord, "phases" | "losses">, stage: number): string {
  const ending = trainingOf("");
  const names = phases.flatMap(({ name }) => (name.endsWith(ending) ? [name.slice(0, -ending.length)] : []));
  const stages = [...new Set(losses.map((entry) => entry.stage))].sort((a, b) => a - b);
  return (names.length === stages.length && names[stages.indexOf(stage)]) || `stage ${stage}`;
}

/** Name of a result; where there are other parts too, the test part is named. */
export function resultName({ name, part }: RunRecord["results"][number], all: RunRecord["results"]): string {
  return !part && name !== constantName && all.some((other) => other.part) ? `${name}, test` : name;
}
