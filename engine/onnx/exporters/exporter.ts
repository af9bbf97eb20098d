import type { JournalEntry } from "../../journal.ts";
import type { Tensor } from "../../tensor.ts";
import { OnnxError } from "../errors.ts";
import type { ExportGraph } from "../export-graph.ts";

/** Writes one operation of the engine into a graph. */
export type Exporter = (graph: ExportGraph, entry: JournalEntry<Tensor>) => void;

export type Exporters = Readonly<Record<string, Exporter>>;

/** A detail of a call that must be there. */
export function detail<T>({ operation, details }: JournalEntry<Tensor>, name: string): T {
  const value = told<T>({ details }, name);
  if (value === undefined) throw new OnnxError(`${operation} does not say its ${name}`);
  return value;
}

/** A detail of a call that may be left out. */
export function told<T>({ details }: Pick<JournalEntry, "details">, name: string): T | undefined {
  return (details as Readonly<Record<string, unknown>>)[name] as T | undefined;
}
