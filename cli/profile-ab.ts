import type { Command } from "commander";
import { comparePairs, type Pair, type PairedComparison } from "../engine/profile/pairs.ts";
import type { Ratio } from "../engine/tune/noise.ts";
import { wholeNumber } from "./data-options.ts";
import { outputFile } from "./output.ts";
import { shareOf } from "./profile-compare.ts";
import { silentProfile } from "./profile-silent.ts";
import { type Cell, emphasis, progress, table } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

interface AbFlags {
  readonly rounds: number;
  readonly untilNoise?: number;
  readonly mostRounds: number;
  readonly coldCache?: boolean;
  readonly top: number;
  readonly json?: string;
  readonly failSlower?: number;
}

const notes = `
A and B run in turns, A B B A …, each in a process of its own and without its output. Of every pair the ratio of the two counts, so that what
disturbs both alike falls out; the interval holds the true ratio in 95 of 100 such experiments. Pairs that ran mostly while
the machine did something else are left out where there are three others.

  acutance profile ab -- bun old.ts -- bun new.ts
  acutance profile ab --until-noise 2% -- score --no-tune a -- score a

Exit code: 0 compared; 1 one of them failed, or B is slower by more than --fail-slower; 2 wrong usage.`;

/** Adds `ab` to the command `profile`. */
export function registerAb(profile: Command): void {
  profile
    .command("ab")
    .description("run two commands or programs in turns and compare their kernels pair by pair")
    .argument("[words...]", "A, then --, then B")
    .option("--rounds <n>", "pairs", wholeNumber(2), 6)
    .option("--until-noise <share>", "further pairs until the busy time's ratio is known to this, such as 2%", shareOf)
    .option("--most-rounds <n>", "but not more than so many", wholeNumber(2), 30)
    .option("--cold-cache", "fill the adapter's caches with something else before each dispatch")
    .option("--fail-slower <share>", "fail when B is slower by more than this beyond chance, such as 5%", shareOf)
    .option("--top <n>", "kernels in the table", wholeNumber(1), 20)
    .option("--json <file>", "write the comparison")
    .configureHelp({ showGlobalOptions: false })
    .passThroughOptions()
    .addHelpText("after", notes)
    .action(run);
}

/** A and B. Exported for tests. @throws UsageError */
export function twoCommands(words: readonly string[]): [string[], string[]] {
  const at = words.indexOf("--");
  const [a, b] = at < 0 ? [words, []] : [words.slice(0, at), words.slice(at + 1)];
  if (a.length === 0 || b.length === 0)
    throw new UsageError("two are compared: acutance profile ab -- FIRST … -- SECOND …");
  return [[...a], [...b]];
}

async function run(words: string[], flags: AbFlags): Promise<void> {
  const [a, b] = twoCommands(words);
  const place = flags.json === undefined ? undefined : outputFile(flags.json, "--json");
  const own = flags.coldCache ? ["--cold-cache"] : [];
  const bar = progress("in turns", 2 * flags.rounds);
  const pairs: Pair[] = [];
  let comparison: PairedComparison | undefined;
  try {
    const one = async (command: string[]) => {
      const found = await silentProfile(command, own);
      bar.advance(1, command.join(" ").slice(0, 40));
      return found;
    };
    while (pairs.length < flags.rounds || !isSettled(comparison, pairs.length, flags)) {
      if (pairs.length % 2 === 0) {
        const first = await one(a);
        pairs.push([first, await one(b)]);
      } else {
        const first = await one(b);
        pairs.push([await one(a), first]);
      }
      comparison = comparePairs(pairs);
    }
  } finally {
    bar.stop();
  }
  place?.replace(`${JSON.stringify({ a: a.join(" "), b: b.join(" "), ...comparison }, null, 2)}\n`);
  console.log(comparisonText(a, b, comparison!, flags.top));
  const { failSlower } = flags;
  if (failSlower !== undefined && comparison!.busy.low > 1 + failSlower) {
    console.error(`${emphasis("failed:", "red", process.stderr)} B is slower by more than ${percent(failSlower)}`);
    process.exitCode = 1;
  }
}

function isSettled(found: PairedComparison | undefined, pairs: number, { untilNoise, mostRounds }: AbFlags): boolean {
  if (untilNoise === undefined || pairs >= mostRounds) return true;
  return found !== undefined && halfWidth(found.busy) <= untilNoise;
}

/** Half the width of an interval, as a share. */
function halfWidth({ low, high, ratio }: Ratio): number {
  return (high - low) / 2 / ratio;
}

function comparisonText(a: readonly string[], b: readonly string[], found: PairedComparison, most: number): string {
  const rows = found.kernels
    .slice(0, most)
    .map((kernel): Cell[] => [
      kernel.name,
      kernel.aMs.toPrecision(4),
      kernel.bMs.toPrecision(4),
      ...ratioCells(kernel),
      percent(kernel.share),
    ]);
  const all = [
    ["kernels, median times calls", ...ratioCells(found.busy)],
    ["wall time", ...ratioCells(found.wall)],
  ];
  const { leftOut, isTainted, rounds, kernels, onlyA, onlyB } = found;
  return [
    `A: ${a.join(" ")}\nB: ${b.join(" ")}`,
    table(["kernel", "A ms", "B ms", "B / A", "95 % interval", "", "of A"], rows),
    ...(kernels.length > most ? [`… and ${kernels.length - most} more (--top)`] : []),
    table(["overall", "B / A", "95 % interval", ""], all),
    ...(onlyA.length > 0 ? [`only in A: ${onlyA.slice(0, 8).join("; ")}${onlyA.length > 8 ? "; …" : ""}`] : []),
    ...(onlyB.length > 0 ? [`only in B: ${onlyB.slice(0, 8).join("; ")}${onlyB.length > 8 ? "; …" : ""}`] : []),
    `${rounds} pairs${leftOut > 0 ? `, ${leftOut} left out: the machine did something else meanwhile` : ""}${isTainted ? "; the machine did something else meanwhile, and there are too few other pairs" : ""}`,
  ].join("\n\n");
}

function ratioCells({ ratio, low, high }: Ratio): Cell[] {
  const state = low > 1 ? "B slower" : high < 1 ? "B faster" : "";
  const interval = Number.isFinite(high) ? `${low.toFixed(3)} to ${high.toFixed(3)}` : "unknown";
  return [ratio.toFixed(3), interval, state];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
