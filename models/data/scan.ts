import { expectNames } from "../../engine/arguments.ts";
import { type Dataset, DatasetError, type Problem } from "./dataset.ts";
import { checkPicture, type DecodeOptions, decodeNames } from "./pictures/decode.ts";
import { prefetch } from "./prefetch.ts";

export interface ScanOptions extends DecodeOptions {
  /** Pictures decoded at a time. @default 4 */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Called after each picture, in order. */
  readonly onProgress?: (done: number, total: number) => void;
}

const names = { ...decodeNames, concurrency: true, signal: true, onProgress: true } satisfies Record<
  keyof ScanOptions,
  true
>;

/**
 * Decodes every picture once and moves those that cannot be decoded from `rows` to `problems`. Without it they show as
 * `PictureError` when they are first decoded.
 * @throws DatasetError when no picture can be decoded; the signal's reason when it is aborted
 */
export async function scan(dataset: Dataset, options: ScanOptions = {}): Promise<Dataset> {
  expectNames("scan", options, names);
  const { concurrency = 4, signal, onProgress, ...decoding } = options;
  const rows: Dataset["rows"][number][] = [];
  const broken: Problem[] = [];
  const checks = prefetch(dataset.rows, (row) => checkPicture(row.path, decoding), {
    ahead: concurrency,
    concurrency,
    ...(signal ? { signal } : {}),
  });
  for await (const check of checks) {
    if (!check.ok) throw check.error;
    if (check.value.ok) rows.push(check.item);
    else broken.push({ kind: "picture", name: check.item.name, detail: check.value.error.message });
    onProgress?.(check.index + 1, dataset.rows.length);
  }
  if (rows.length === 0) {
    throw new DatasetError(
      `None of the ${broken.length} pictures can be decoded. The first: ${broken[0]?.detail ?? "-"}`,
    );
  }
  return { ...dataset, rows, problems: [...dataset.problems, ...broken] };
}
