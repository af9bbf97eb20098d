import { stat } from "node:fs/promises";
import { onDisk, printable } from "../models/data/files/file-name.ts";
import { watchPictures } from "../models/store/index.ts";
import { beforeEnd } from "./interrupt.ts";
import type { Output } from "./output.ts";
import { type ScoreForm, ScoreOutput } from "./score-output.ts";
import type { ScoreRow } from "./score-row.ts";
import type { RowSource } from "./score-source.ts";
import { UsageError } from "./usage-error.ts";

/** Folders among the arguments. @throws UsageError for anything else: nothing comes to a file */
export async function watchedFolders(words: readonly string[]): Promise<string[]> {
  for (const word of words) {
    const info = await stat(onDisk(word)).catch(() => undefined);
    if (!info?.isDirectory())
      throw new UsageError(`--watch takes folders, and ${printable(word)} is ${info ? "no folder" : "not there"}`);
  }
  return [...new Set(words)];
}

export interface WatchOutput {
  readonly form: ScoreForm;
  readonly out: Output;
  readonly model: string;
  readonly details: boolean;
  readonly select: ((rows: readonly ScoreRow[], lowerIsBetter: boolean) => ScoreRow[]) | undefined;
  /** Told of every row that is written. */
  readonly onRow: (row: ScoreRow) => void;
}

/** Scores what is in folders and what comes, until the process is asked to end; a row is written as soon as it is there. */
export async function watchFolders(folders: readonly string[], source: RowSource, options: WatchOutput): Promise<void> {
  const { form, out, select, onRow } = options;
  const output = new ScoreOutput({
    ...options,
    form: form === "csv" ? "csv" : form === "json" ? "jsonl" : "lines",
    out,
    sort: false,
  });
  output.scale = source.scale;
  let [written, failed] = [0, 0];
  const words = () => {
    const parts = [`${written} rows are written`, ...(failed > 0 ? [`${failed} pictures could not be scored`] : [])];
    return [...parts, ...(source.stored > 0 ? [`${source.stored} were in the store`] : [])].join(", ");
  };
  using _ = beforeEnd((interrupted) => {
    if (interrupted) console.error(`ended: ${words()}`);
  });
  const take = (row: ScoreRow) => {
    if ("error" in row) failed++;
    const chosen = !select || "error" in row ? [row] : select([row], source.scale.lowerIsBetter === true);
    for (const one of chosen) {
      output.append(one);
      written++;
      onRow(one);
    }
  };
  let isFirst = true;
  const note = (text: string) => console.error(`note: ${text}`);
  for await (const { pictures, leftOut, removed } of watchPictures(folders, { onNote: note })) {
    source.forget(removed);
    for (const path of removed) note(`${printable(path)} is no more`);
    const asked = [...pictures.map((path) => ({ path })), ...leftOut.map(({ path, why }) => ({ path, leftOut: why }))];
    await source.score(asked, take);
    if (isFirst && pictures.length > 0) console.error(`${words()}; watching, Ctrl-C ends`);
    isFirst &&= pictures.length === 0;
  }
}
