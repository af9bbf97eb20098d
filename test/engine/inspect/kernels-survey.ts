// `bun run kernels:survey`: compiles every kernel in every variant for GPUs of every generation, some ten minutes, and writes
// survey.json and the table of engine/inspect/README.md, as far as it has come. With names of kernels it compiles those and keeps the
// others' figures.
import { readFileSync, writeFileSync } from "node:fs";
import { usualTargets } from "../../../engine/inspect/targets.ts";
import { type Finding, findings, isGood, isWorse, knownSurvey, reasons, type Survey, type Worst } from "./survey.ts";
import { gpuVariants, leftOut, type Variant } from "./variants.ts";

/** Variants at a time: processes take long to start, and modules are many megabytes. */
const at = 120;
/** What limits waves, in a cell of the table. */
const short = { registers: "r", "workgroup memory": "m", "workgroup size": "s", "wave slots": "" } as const;
const chosen = process.argv.slice(2);
const everything = gpuVariants();
const variants = inTurn(everything.filter(({ kernel }) => chosen.length === 0 || chosen.includes(kernel)));
const survey: Record<string, Record<string, Worst & { variants: number }>> = {};
if (chosen.length > 0) {
  const names = new Set(everything.map(({ kernel }) => kernel));
  for (const [kernel, row] of Object.entries(knownSurvey())) {
    if (names.has(kernel) && !chosen.includes(kernel)) survey[kernel] = { ...row };
  }
}
for (let from = 0; from < variants.length; from += at) {
  for (const finding of await findings(variants.slice(from, from + at), usualTargets, refused)) note(finding);
  write();
  console.error(`${Math.min(from + at, variants.length)} of ${variants.length} variants`);
}

/** First one variant of every kernel, then the second ones, and so on. */
function inTurn(list: readonly Variant[]): Variant[] {
  const seen = new Map<string, number>();
  const turns = list.map((variant) => {
    const turn = seen.get(variant.kernel) ?? 0;
    seen.set(variant.kernel, turn + 1);
    return { variant, turn };
  });
  return turns.sort((a, b) => a.turn - b.turn).map(({ variant }) => variant);
}

function refused(why: string): void {
  console.error(why);
  process.exitCode = 1;
}

function note({ gpu, ...worst }: Finding): void {
  survey[worst.variant.kernel] ??= {};
  const kernel = survey[worst.variant.kernel]!;
  const before = kernel[gpu];
  const most = !before || isWorse(worst, before) ? worst : before;
  kernel[gpu] = { ...most, variants: (before?.variants ?? 0) + 1 };
}

function write(): void {
  const lines = Object.keys(survey)
    .sort()
    .map((kernel) => `${JSON.stringify(kernel)}: ${JSON.stringify(survey[kernel])}`);
  writeFileSync(new URL("survey.json", import.meta.url), `{\n${lines.join(",\n")}\n}\n`);
  const readme = new URL("../../../engine/inspect/README.md", import.meta.url);
  const [before, , after] = readFileSync(readme, "utf8").split(/^(?=<!-- survey -->|<!-- end of survey -->)/m);
  writeFileSync(readme, `${before}<!-- survey -->\n\n${tableOf(survey)}\n\n${after}`);
}

/** Kernels with neither spills nor fewer than eight waves are told by their number alone. */
function tableOf(found: Survey): string {
  const kernels = Object.keys(found).sort();
  const cells = new Map(kernels.map((kernel) => [kernel, usualTargets.map((gpu) => cell(found[kernel]![gpu]!))]));
  const tight = kernels.filter((kernel) => Object.values(found[kernel]!).some(isTight));
  const count = Object.values(found).reduce(
    (sum, row) => sum + Math.max(...Object.values(row).map(({ variants }) => variants)),
    0,
  );
  const rows = tight.map((kernel) => {
    const most = Math.max(...Object.values(found[kernel]!).map(({ variants }) => variants));
    return `| ${kernel} | ${most} | ${cells.get(kernel)!.join(" | ")} |`;
  });
  return [
    `${kernels.length} kernels in ${count} of ${everything.length} variants. ${kernels.length - tight.length} of them spill nothing and keep at least eight waves on a SIMD in every variant everywhere. The others:`,
    "",
    `| kernel | variants | ${usualTargets.join(" | ")} |`,
    `| --- | --- |${" --- |".repeat(usualTargets.length)}`,
    ...rows,
    "",
    "Fewer than four waves:",
    "",
    ...kernels
      .filter((kernel) => !Object.values(found[kernel]!).every(isGood))
      .map((kernel) => `- ${kernel}: ${reasons[kernel] ?? "for no reason known"}.`),
    "",
    "Left out:",
    "",
    ...Object.entries(leftOut).map(([kernel, why]) => `- ${kernel}: ${why}.`),
  ].join("\n");
}

function isTight({ spilledVector, spilledScalar, waves }: Worst): boolean {
  return spilledVector + spilledScalar > 0 || waves < 8;
}

/** Waves and what limits them, then spills. */
function cell({ waves, limit, spilledVector, spilledScalar }: Worst): string {
  const spills = [spilledVector > 0 && `${spilledVector} v`, spilledScalar > 0 && `${spilledScalar} s`].filter(Boolean);
  return `${waves}${waves < 8 ? short[limit] : ""}${spills.length > 0 ? `, spills ${spills.join(" ")}` : ""}`;
}
