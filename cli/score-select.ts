import { type Command, InvalidArgumentError, Option } from "commander";
import { parseQuery, QueryError, queryFields } from "../models/scoring/query.ts";
import { fieldsOf } from "./score-facts.ts";
import type { ScoreRow, TrustedScore } from "./score-row.ts";
import { UsageError } from "./usage-error.ts";

/** So many pictures, or a share of them. */
export type Amount = { readonly count: number } | { readonly percent: number };

export interface SelectionFlags {
  readonly best?: Amount;
  readonly worst?: Amount;
  readonly min?: number;
  readonly max?: number;
  readonly query?: ReturnType<typeof parseQuery>;
}

/** Adds --best, --worst, --min, --max and --query. */
export function addSelectionOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--best <n>", "only the best n pictures, or the best n% of all").argParser(amount).conflicts("worst"),
    )
    .addOption(new Option("--worst <n>", "only the worst n, or n%, the worst first").argParser(amount))
    .option("--min <score>", "only pictures of at least this score", number)
    .option("--max <score>", "only pictures of at most this score", number)
    .option(
      "--query <text>",
      'only pictures for which it is so, such as "score < 30 and sharpness < 0.2"; see below',
      query,
    )
    .addHelpText("after", notes);
}

const notes = `
--query compares fields: ${Object.entries(queryFields)
  .map(([name, { is }]) => `${name} (${is})`)
  .join(", ")}.
There are numbers, texts in quotes, + - * /, < <= > >= == !=, and, or, not, brackets, and ~ for a pattern: path ~ "*.png" (* any characters, ? one; without
a slash it is of the file's name). A picture of which something asked is not known is not taken.
--min, --max and --query choose among all pictures, --best and --worst among those chosen; percentiles are always among all.
Pictures without a score are not chosen; they are listed on standard error.`;

function amount(text: string): Amount {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? [];
  const value = Number(digits);
  if (percent && value > 0 && value <= 100) return { percent: value };
  if (!percent && Number.isInteger(value) && value >= 1) return { count: value };
  throw new InvalidArgumentError("expected a number of pictures such as 50, or a share of them such as 10%");
}

export function number(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number such as 40");
}

function query(text: string): ReturnType<typeof parseQuery> {
  try {
    return parseQuery(text);
  } catch (error) {
    if (error instanceof QueryError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** What picks the rows that the flags ask for; undefined where they ask for all. */
export function selectionOf(
  flags: SelectionFlags,
): ((rows: readonly ScoreRow[], lowerIsBetter: boolean) => ScoreRow[]) | undefined {
  const { best, worst, min, max, query } = flags;
  if (min !== undefined && max !== undefined && min > max)
    throw new UsageError(`--min ${min} is more than --max ${max}: no picture can have both`);
  if ([best, worst, min, max, query].every((flag) => flag === undefined)) return undefined;
  return (rows, lowerIsBetter) => {
    const chosen = rows.filter(
      (row): row is ScoreRow & TrustedScore =>
        !("error" in row) &&
        (min === undefined || row.score >= min) &&
        (max === undefined || row.score <= max) &&
        (!query || query(fieldsOf(row))),
    );
    const asked = best ?? worst;
    if (!asked) return chosen;
    const sign = (best ? -1 : 1) * (lowerIsBetter ? -1 : 1);
    const count = "count" in asked ? asked.count : Math.ceil((asked.percent / 100) * chosen.length);
    // A sort keeps the order of equal ones.
    return chosen.toSorted((a, b) => sign * (a.score - b.score)).slice(0, count);
  };
}
