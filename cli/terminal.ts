import { styleText } from "node:util";
import { SingleBar } from "cli-progress";
import { Table } from "console-table-printer";

export { formatBytes } from "../engine/memory/report.ts";

export interface Progress {
  /** Counts `amount` more steps as done; `note` replaces the text at the end of the line. */
  advance(amount?: number, note?: string): void;
  /** Ends the bar; without a terminal it prints one plain line. Calling it twice is harmless. */
  stop(): void;
}

const plainIntervalMs = 10_000;

/**
 * A progress bar on stderr with rate and time left, both of what follows the first results: loading and compiling before them
 * happen once. Without a terminal: one plain line every 10 s from the start and one at the end.
 */
export function progress(label: string, total: number, stream: NodeJS.WriteStream = process.stderr): Progress {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const paced = new Pace(total);
  let note = "";
  let stopped = false;
  const numbers = () => ({ label, note, ...paced.words(seconds()) });

  if (!stream.isTTY) {
    const print = (text: string) => stream.write(`${label}: ${text}${note && `, ${note}`}\n`);
    const sayWhere = () => {
      const { rate, left } = numbers();
      print(
        paced.done > 0
          ? `${paced.done} of ${total}, ${rate}, ${left} left`
          : `0 of ${total} after ${formatSeconds(seconds())}`,
      );
    };
    const timer = setInterval(sayWhere, plainIntervalMs);
    timer.unref?.();
    return {
      advance(amount = 1, text = note) {
        paced.advance(amount, seconds());
        note = text;
      },
      stop() {
        if (stopped) return;
        stopped = true;
        clearInterval(timer);
        print(`${paced.done} of ${total} in ${formatSeconds(seconds())}`);
      },
    };
  }

  const bar = new SingleBar({
    format: `{label} ${emphasis("{bar}", "cyan", stream)} {value}/{total}  {rate}  {left} left  {note}`,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    barsize: 24,
    hideCursor: true,
    stream,
    fps: 8,
  });
  bar.start(total, 0, numbers());
  return {
    advance(amount = 1, text = note) {
      paced.advance(amount, seconds());
      note = text;
      if (!stopped) bar.update(paced.done, numbers());
    },
    stop() {
      if (stopped) return;
      stopped = true;
      bar.update(paced.done, { ...numbers(), left: "0 s" });
      bar.stop();
    },
  };
}

/** Results that come together, such as those of a batch, come within so many seconds. */
const together = 0.2;

/** Rate and time left of work whose first results also took what is done once. Exported for tests. */
export class Pace {
  readonly #total: number;
  #done = 0;
  /** How much was done, and when, with the first results and at last. */
  #first: { done: number; at: number } | undefined;
  #lastAt = 0;
  /** How much came together at last. */
  #burst = 0;

  constructor(total: number) {
    this.#total = total;
  }

  get done(): number {
    return this.#done;
  }

  /** @param at seconds since the start */
  advance(amount: number, at: number): void {
    this.#done += amount;
    this.#burst = amount + (at - this.#lastAt <= together ? this.#burst : 0);
    this.#lastAt = at;
    this.#first ??= { done: 0, at };
    if (at - this.#first.at <= together) this.#first.done = this.#done;
  }

  words(now: number): { rate: string; left: string } {
    const [done, seconds] = [this.#done - (this.#first?.done ?? 0), this.#lastAt - (this.#first?.at ?? 0)];
    if (done <= 0 || seconds <= 0) return { rate: "- /s", left: this.#done >= this.#total ? "0 s" : "?" };
    // When the next results are late, it is no better than if they came now.
    const perSecond = Math.min(done / seconds, (done + this.#burst) / (now - this.#first!.at));
    const rate = perSecond >= 1 ? `${significant(perSecond)} /s` : `${formatSeconds(1 / perSecond)} each`;
    const left = (this.#total - this.#done) / perSecond - (now - this.#lastAt);
    return { rate, left: formatSeconds(Math.max(0, left)) };
  }
}

export type Cell = string | number | boolean | null | undefined;

/** A table as text, for stdout: columns of numbers to the right, no colours, no frame. */
export function table(headers: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const empty = { left: "", right: "", mid: "", other: "" };
  const printer = new Table({
    columns: headers.map((title, column) => ({
      name: `c${column}`,
      title,
      alignment: rows.every((row) => isNumeric(row[column])) ? "right" : "left",
    })),
    shouldDisableColors: true,
    style: {
      headerTop: empty,
      headerBottom: { left: "", right: "", mid: "─", other: "─" },
      tableBottom: empty,
      vertical: "",
      rowSeparator: empty,
    },
  });
  for (const row of rows) {
    printer.addRow(
      Object.fromEntries(headers.map((_, column) => [`c${column}`, printable(String(row[column] ?? ""))])),
    );
  }
  // The library pads every cell by one space on both sides.
  return printer
    .render()
    .split("\n")
    .map((line) => line.slice(1).trimEnd())
    .filter(Boolean)
    .join("\n");
}

/**
 * Text as a terminal may show it: what would move its cursor, colour it, end a line or turn the direction of writing, as names of
 * files can, is written as `\\x1b` or `\\u202e`.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  return text.replace(/[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** A message of several lines, with the colours of {@link emphasis}, made {@link printable} but for these. */
export function printableMessage(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours' own
  return text.replace(/(\x1b\[(?:1|22|3\d)m)|[^\x1b\n]+|\n|\x1b/g, (piece, colour) =>
    colour || piece === "\n" ? piece : printable(piece),
  );
}

/** Numbers, numbers with a unit, and gaps in a column of them. */
function isNumeric(cell: Cell): boolean {
  return cell === null || cell === undefined || /^([-+]?[\d.,]+(e[-+]?\d+)?( ?[%\w/µ]{1,5})?|-|–)?$/.test(String(cell));
}

/** Names and values in two columns, for stdout; a long value goes on under itself. */
export function pairs(rows: readonly (readonly [name: string, value: string])[], width = 100): string {
  const indent = Math.max(0, ...rows.map(([name]) => name.length)) + 2;
  return rows
    .map(([name, value]) => name.padEnd(indent) + wrap(value, width - indent).join(`\n${" ".repeat(indent)}`))
    .join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1]!;
    if (last && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}

/** Colours text when the stream is a terminal and the user has not asked for none (NO_COLOR). */
export function emphasis(
  text: string,
  style: Parameters<typeof styleText>[0],
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return stream.isTTY && !process.env["NO_COLOR"] ? styleText(style, text, { validateStream: false }) : text;
}

/** "85 µs", "12 ms", "3.4 s", "2 min 05 s", "1 h 02 min", "3 d 04 h". */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds === 0) return "0 s";
  if (seconds < 0.000_999_5) return `${significant(seconds * 1e6)} µs`;
  if (seconds < 0.999_5) return `${significant(seconds * 1e3)} ms`;
  if (seconds < 59.95) return `${significant(seconds)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** Three significant digits, no exponent for everyday sizes: 3.42, 34.2, 342, 3420. */
function significant(value: number): string {
  const magnitude = Math.abs(value);
  const digits = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2;
  return Number(value.toFixed(digits)).toString();
}
