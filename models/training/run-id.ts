import { createHash } from "node:crypto";
import type { Row } from "../data/index.ts";

type IdentifiedRow = Pick<Row, "name" | "mos" | "label" | "weight">;

/** What a run id is made of. */
interface Identified {
  /** Rows of each part. */
  readonly parts: Readonly<Record<string, readonly IdentifiedRow[]>>;
  /** Options, and what the training started from. */
  readonly settings: unknown;
}

/**
 * Names a training by its content, so that its files can be told from another's: 12 hexadecimal digits of the parts (names, MOS,
 * and labels and weights by another model) and, after a dash, 12 of the settings. The same training has the same id.
 */
export function runId({ parts, settings }: Identified): string {
  const listed = Object.entries(parts).map(([part, rows]) => [part, rows.map(identity)]);
  return `${digest(listed)}-${digest(settings)}`;
}

/** Labels and weights of another model count where there are any. */
function identity({ name, mos, label, weight }: IdentifiedRow) {
  return [name, mos ?? null, ...(weight === undefined ? [] : [weight]), ...(label ? [label] : [])];
}

/** Whether two trainings divided their pictures in the same way. */
export function sameSplit(one: string, other: string): boolean {
  return one.split("-")[0] === other.split("-")[0];
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);
}
