import { table } from "../../cli/terminal.ts";
import { groups, groupTitles } from "./cases.ts";
import { tolerance } from "./data.ts";
import { type EngineName, engineNames, engineTitles, type RivalName } from "./engines.ts";
import { type Cell, geometricMean, median, quantile, type Results, type Row, ratio } from "./results.ts";

/** Headings and cells, and what stands beneath: the reasons of the gaps, numbered. */
interface Sheet {
  readonly title: string;
  readonly headers: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

function milliseconds(ms: number): string {
  return ms >= 99.95 ? ms.toFixed(0) : ms.toPrecision(3);
}

/** "12.3 (11.9-13.0)": median and quartiles. */
function spread(ms: readonly number[]): string {
  const [low, high] = [quantile(ms, 0.25), quantile(ms, 0.75)];
  return `${milliseconds(median(ms))} (${milliseconds(low)}-${milliseconds(high)})`;
}

function error(value: number): string {
  return Number.isFinite(value) ? value.toExponential(1) : "not a number";
}

/** Engines that stand in the results, ours first. */
function engines({ rows, absent }: Results): EngineName[] {
  return engineNames.filter((name) => name in absent || rows.some(({ cells }) => name in cells));
}

function rivals(results: Results): RivalName[] {
  return engines(results).filter((name) => name !== "acutance");
}

function caseSheet(results: Results): Sheet {
  const notes: string[] = [];
  const note = (reason: string) => {
    const line = reason.replace(/\s+/g, " ").slice(0, 300);
    if (!notes.includes(line)) notes.push(line);
    return `[${notes.indexOf(line) + 1}]`;
  };
  const shown = (cell: Cell | undefined, name: EngineName): string => {
    const absence = results.absent[name];
    if (!cell) return absence ? `absent ${note(`${engineTitles[name]}: ${absence}`)}` : "";
    if (cell.is === "measured") return spread(cell.ms);
    if (cell.is === "mismatch") return `wrong by ${error(cell.relativeError)}`;
    return `${cell.is === "failed" ? "failed" : "-"} ${note(`${engineTitles[name]}: ${cell.reason}`)}`;
  };
  const others = rivals(results);
  const rows = results.rows.map((row) => [
    row.name,
    shown(row.cells.acutance, "acutance"),
    ...others.flatMap((name) => [shown(row.cells[name], name), ratio(row, name)?.toFixed(2) ?? ""]),
  ]);
  const headers = [
    "case",
    `${engineTitles.acutance} ms`,
    ...others.flatMap((name) => [`${engineTitles[name]} ms`, "ours/theirs"]),
  ];
  return { title: "Median and quartiles", headers, rows, notes };
}

/** Geometric mean of the ratios of some rows, with their number. */
function meanRatio(rows: readonly Row[], name: EngineName): string {
  const ratios = rows.map((row) => ratio(row, name)).filter((value) => value !== undefined);
  const value = geometricMean(ratios);
  return value === undefined ? "-" : `${value.toFixed(2)} (${ratios.length} of ${rows.length})`;
}

function groupSheet(results: Results): Sheet {
  const others = rivals(results);
  const present = groups.filter((group) => results.rows.some((row) => row.group === group));
  const rows = present.map((group) => {
    const own = results.rows.filter((row) => row.group === group);
    return [groupTitles[group], ...others.map((name) => meanRatio(own, name))];
  });
  rows.push(["all", ...others.map((name) => meanRatio(results.rows, name))]);
  const title = "Geometric mean of our time over theirs, below 1 we are faster; in brackets the cases it is over";
  return { title, headers: ["", ...others.map((name) => engineTitles[name])], rows, notes: [] };
}

function circumstances({ date, circumstances: c, notes }: Results): string[] {
  const versions = Object.entries(c.versions).map(
    ([name, version]) => `${engineTitles[name as EngineName]} ${version}`,
  );
  return [
    `${date}, ${c.machine}, adapter ${c.adapter}, ${c.runtime}, commit ${c.commit}`,
    versions.join(", "),
    `Up to ${c.runs} runs in turns, f32, from the upload of the inputs to the outputs being read; weights stay on the ` +
      `device. A time counts where the outputs are within ${tolerance} of ours (root of squares, worst output).`,
    ...Object.entries(notes).map(([name, note]) => `${engineTitles[name as EngineName]}: ${note}.`),
  ];
}

/** The tables for the terminal. */
export function terminalReport(results: Results): string {
  const sheets = [caseSheet(results), groupSheet(results)];
  const parts = sheets.map(({ title, headers, rows, notes }) =>
    [`${title}\n`, table(headers, rows), ...notes.map((line, i) => `[${i + 1}] ${line}`)].join("\n"),
  );
  return [...parts, circumstances(results).join("\n")].join("\n\n");
}

/** The tables in Markdown. */
export function markdownReport(results: Results): string {
  const sheets = [groupSheet(results), caseSheet(results)];
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const parts = sheets.map(({ title, headers, rows, notes }) =>
    [
      `${title}:\n`,
      line(headers),
      line(headers.map(() => "---")),
      ...rows.map(line),
      ...notes.map((text, i) => `${i === 0 ? "\n" : ""}[${i + 1}] ${text}  `),
    ].join("\n"),
  );
  return `${[circumstances(results).join("  \n"), ...parts].join("\n\n")}\n`;
}
