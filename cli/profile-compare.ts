import { type Command, InvalidArgumentError } from "commander";
import { compareProfiles, type KernelChange, type ProfileComparison, readProfile } from "../engine/profile/compare.ts";
import { profilePage } from "../engine/profile/page/profile-page.ts";
import { outputFile } from "./output.ts";
import { type Cell, emphasis, table } from "./terminal.ts";

interface CompareFlags {
  readonly threshold: number;
  readonly force?: boolean;
  readonly allowUnmatched?: boolean;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly all?: boolean;
}

/** Rows shown unless all are asked for. */
const shownRows = 40;

const exitCodes = `
A kernel has regressed when its median grew by more than the threshold and by more than chance explains:
two standard errors of both medians, from their spreads and calls, and half a step of each clock.

Exit code: 0 no kernel has regressed; 1 one has, one ran in only one of the profiles, none could be compared, or a profile
could not be read; 2 wrong usage.`;

/** Adds `compare` to the command `profile`. */
export function registerCompare(profile: Command): void {
  profile
    .command("compare")
    .description("compare two profiles kernel by kernel, with bounds on noise; fails on a regression")
    .argument("<before>", "profile as JSON")
    .argument("<after>", "profile as JSON")
    .option("--threshold <share>", "growth of a median that may pass, such as 5% or 0.05", shareOf, 0.05)
    .option("--force", "compare although adapters or commands differ")
    .option("--allow-unmatched", "kernels that ran in only one of the profiles are no failure")
    .option("--all", "show all kernels, also where there are many")
    .option("--json", "print one JSON document")
    .option("--markdown", "print a Markdown table")
    .configureHelp({ showGlobalOptions: false })
    .addHelpText("after", exitCodes)
    .action(run);
}

/** 5% or 0.05. Exported for tests. */
export function shareOf(text: string): number {
  const match = /^([\d.]+)\s*(%?)$/.exec(text.trim());
  const value = match ? Number(match[1]) / (match[2] ? 100 : 1) : Number.NaN;
  if (!(value >= 0)) throw new InvalidArgumentError("expected a share such as 5% or 0.05");
  return value;
}

function run(beforePath: string, afterPath: string, flags: CompareFlags): void {
  const { threshold, force = false, json, markdown, all } = flags;
  const comparison = compareProfiles(readProfile(beforePath), readProfile(afterPath), { threshold, force });
  if (json) console.log(JSON.stringify(comparison, null, 2));
  else
    console.log(
      comparisonText(comparison, { markdown: markdown === true, most: all ? Number.POSITIVE_INFINITY : shownRows }),
    );
  const failures = failuresOf(comparison, flags.allowUnmatched === true);
  for (const failure of failures) console.error(`${emphasis("failed:", "red", process.stderr)} ${failure}`);
  if (comparison.regressions > 0 || failures.length > 0) process.exitCode = 1;
}

/** Why two profiles are not comparable as a whole. */
function failuresOf({ unmatched, compared, kernels }: ProfileComparison, allowUnmatched: boolean): string[] {
  const [only, all] = [unmatched, kernels.length];
  return [
    ...(only > 0 && !allowUnmatched
      ? [`${only} of ${all} kernels ran in only one of the profiles (new, vanished); --allow-unmatched lets them pass`]
      : []),
    ...(compared === 0 ? ["no kernel ran warm at least twice in both profiles: nothing was compared"] : []),
  ];
}

const headers = ["kernel", "before ms", "after ms", "change", "noise", "calls", "total ms", ""] as const;

/** The comparison as a table, or as Markdown. Exported for tests. */
export function comparisonText(
  { kernels, totals, warnings, threshold, regressions, unmatched }: ProfileComparison,
  { markdown = false, most = shownRows }: { readonly markdown?: boolean; readonly most?: number } = {},
): string {
  const rows = kernels.slice(0, most).map((change) => rowOf(change, markdown));
  const sums = Object.entries(totals).map(([name, { before, after }]) => [
    name === "hostEncode" ? "host encode" : name,
    before.toFixed(2),
    after.toFixed(2),
    before > 0 ? signedPercent(after / before - 1) : "",
  ]);
  const grid = markdown ? markdownTable : table;
  const left = kernels.length - rows.length;
  const parts = [
    ...warnings.map((warning) => `${markdown ? "**note:**" : emphasis("note:", "yellow")} ${warning}`),
    grid([...headers], rows),
    ...(left > 0 ? [`${left} more kernels with smaller changes; --all shows them`] : []),
    grid(["total", "before ms", "after ms", "change"], sums),
    `${regressions} of ${kernels.length} kernels are slower by more than ${percent(threshold)} and noise${unmatched > 0 ? `; ${unmatched} ran in only one of the profiles` : ""}`,
  ];
  return parts.join("\n\n");
}

function rowOf(change: KernelChange, plain: boolean): Cell[] {
  const { name, state, before, after, ratio, noise, callsBefore, callsAfter, totalChange } = change;
  return [
    name,
    before?.toPrecision(4) ?? "-",
    after?.toPrecision(4) ?? "-",
    ratio === null ? "-" : signedPercent(ratio - 1),
    noise === null ? "-" : Number.isFinite(noise) ? `±${percent(noise)}` : "unknown",
    callsBefore === callsAfter ? callsAfter : `${callsBefore} → ${callsAfter}`,
    `${totalChange >= 0 ? "+" : "-"}${Math.abs(totalChange).toFixed(3)}`,
    state === "same" ? "" : plain && state === "slower" ? "**slower**" : state,
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signedPercent(share: number): string {
  return `${share >= 0 ? "+" : "-"}${percent(Math.abs(share))}`;
}

function markdownTable(titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) =>
    `| ${cells.map((cell) => String(cell ?? "").replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Adds `page` to the command `profile`. */
export function registerPage(profile: Command): void {
  profile
    .command("page")
    .description("write the page of a profile, with the kernels of further ones on its roofline")
    .argument("<profiles...>", "profiles as JSON; the first is the one that the page is of")
    .requiredOption("--html <file>", "the page")
    .configureHelp({ showGlobalOptions: false })
    .action((files: string[], { html }: { html: string }) => {
      const place = outputFile(html, "--html");
      const [first, ...others] = files.map(readProfile);
      place.replace(profilePage(first!, others));
    });
}
