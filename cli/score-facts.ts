import { statSync } from "node:fs";
import { onDisk } from "../models/data/files/file-name.ts";
import { percentiles } from "../models/metrics/index.ts";
import { type QueryFields, reasonFields } from "../models/scoring/query.ts";
import { type ReferenceFacts, referencePercentile } from "../models/trust/reference.ts";
import type { RowFacts, ScoreRow, TrustedScore } from "./score-row.ts";

/** Names of what `--details` shows. */
export const detailColumns = ["size", "width", "height", "sharpness"] as const satisfies (keyof RowFacts)[];

/** Columns of percentiles; the second where the model carries a reference. */
export function percentileColumns(reference: ReferenceFacts | undefined): (keyof RowFacts)[] {
  return ["percentile", ...(reference ? (["referencePercentile"] as const) : [])];
}

/** Facts of a scored picture. @param size of the file, where it is known already */
export function factsOf(path: string, { width, height, sharpness }: RowFacts, size?: number): RowFacts {
  const bytes = size ?? statSync(onDisk(path), { throwIfNoEntry: false })?.size;
  return {
    ...(bytes !== undefined && { size: bytes }),
    ...(width !== undefined && { width, height: height! }),
    ...(sharpness !== undefined && { sharpness }),
  };
}

interface Scale {
  readonly lowerIsBetter?: boolean;
  readonly reference?: ReferenceFacts | undefined;
}

/** Rows with their places among one another and in the reference; those without a score have none. */
export function withPercentiles(rows: readonly ScoreRow[], { lowerIsBetter, reference }: Scale): ScoreRow[] {
  const scored = rows.filter((row) => !("error" in row)) as (ScoreRow & TrustedScore)[];
  const places = percentiles(scored.map(({ score }) => (lowerIsBetter ? -score : score)));
  const of = new Map(scored.map((row, i) => [row as ScoreRow, places[i]!]));
  return rows.map((row) => {
    const place = of.get(row);
    if (place === undefined || "error" in row) return row;
    const inReference = reference && { referencePercentile: referencePercentile(row.score, reference) };
    return { ...row, percentile: place, ...inReference };
  });
}

/** A row as a query asks of it. */
export function fieldsOf(row: ScoreRow & TrustedScore): QueryFields {
  const { path, score, interval, typicality, reasons, width, height } = row;
  return {
    ...{ path, score, low: interval?.low, high: interval?.high },
    ...{ percentile: row.percentile, referencePercentile: row.referencePercentile },
    ...{ standardDeviation: row.standardDeviation, confidence: row.confidence },
    ...{ typicality: typicality?.share, kind: typicality?.word },
    ...{ sharpness: row.sharpness, width, height, size: row.size },
    megapixels: width === undefined || height === undefined ? undefined : (width * height) / 1e6,
    ...Object.fromEntries(
      [...reasonFields].map(([field, name]) => [
        field,
        reasons && (reasons.find(({ reason }) => reason === name)?.probability ?? 0),
      ]),
    ),
  };
}
