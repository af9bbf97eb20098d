import { DatasetError } from "../data/problems.ts";
import type { MosRange } from "../data/range.ts";
import { columnIndex } from "../data/tables/columns.ts";
import { numberColumn } from "../data/tables/numbers.ts";
import { readTable, type Table } from "../data/tables/table.ts";
import type { Judged } from "./interval.ts";

const needed = ["score", "mos"] as const;

/**
 * Scores beside people's from a CSV or .xlsx file with the columns `score` and `mos`, and `name` for messages; others are passed over. It is
 * what `acutance evaluate --predictions` writes.
 * @param range ends of the model's scale
 * @throws DatasetError when a column is not there, a field is no number, a MOS lies beyond the range, or a picture comes twice
 */
export async function readPredictions(path: string, range: MosRange): Promise<Judged[]> {
  const table = await readTable(path, { mos: "mos" });
  const [first] = table.problems;
  if (first) throw new DatasetError(`${path}, line ${first.line}: ${first.detail}`);
  const [score, mos] = needed.map((name) => columnOf(table, name, path));
  const name = columnIndex(table, "name");
  const seen = new Map<string, number>();
  return table.records.map(({ fields, line }) => {
    const called = name < 0 ? "" : (fields[name] ?? "");
    const where = `${path}, line ${line}${called && ` (${called})`}`;
    const before = called === "" ? undefined : seen.get(called);
    if (before !== undefined)
      throw new DatasetError(`${where}: the picture is in line ${before} already; give one prediction for each`);
    seen.set(called, line);
    const judged = { score: score!(fields, where), mos: mos!(fields, where) };
    const [low, high] = range;
    if (judged.mos >= low && judged.mos <= high) return judged;
    throw new DatasetError(
      `${where}: the MOS ${judged.mos} lies beyond the model's scale, ${low} to ${high}; scores and MOS must be on that scale`,
    );
  });
}

/** Reads a column's number of a line. */
function columnOf(table: Table, name: string, path: string): (fields: readonly string[], where: string) => number {
  const at = columnIndex(table, name);
  if (at < 0) {
    const found = table.header.filter(Boolean).join(", ");
    throw new DatasetError(`${path} has no column "${name}"; it needs ${needed.join(" and ")}, and has ${found}`);
  }
  const { read } = numberColumn(
    name,
    table.records.map(({ fields }) => fields[at] ?? ""),
  );
  return (fields, where) => {
    const value = read(fields[at] ?? "");
    if (Number.isFinite(value)) return value;
    throw new DatasetError(`${where}: ${name} is ${JSON.stringify(fields[at] ?? "")}, no number`);
  };
}
