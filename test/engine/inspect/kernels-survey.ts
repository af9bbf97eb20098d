// `bun run kernels:survey`: compiles every kernel in every variant for GPUs of every generation, and writes survey.json and the
// table of engine/inspect/README.md.
import { readFileSync, writeFileSync } from "node:fs";
import { usualTargets } from "../../../engine/inspect/targets.ts";
import { type Finding, findings, isWorse, type Survey, type Worst } from "./survey.ts";
import { gpuVariants, leftOut } from "./variants.ts";

/** Variants at a time: processes take long to start, and modules are many megabytes. */
const at = 350;
const variants = gpuVariants();
const survey: Record<string, Record<string, Worst & { variants: number }>> = {};
for (let from = 0; from < variants.length; from += at) {
  for (const finding of await findings(variants.slice(from, from + at), usualTargets, refused)) note(finding);
  console.error(`${Math.min(from + at, variants.length)} of ${variants.length} variants`);
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

writeFileSync(new URL("survey.json", import.meta.url), `${JSON.stringify(survey)}\n`);
const readme = new URL("../../../engine/inspect/README.md", import.meta.url);
const [before, , after] = readFileSync(readme, "utf8").split(/^(?=<!-- survey -->|<!-- end of survey -->)/m);
writeFileSync(readme, `${before}<!-- survey -->\n\n${tableOf(survey)}\n\n${after}`);

/** Kernels that are alike stand in one row: those with neither spills nor fewer than eight waves are told by their number alone. */
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
    `${kernels.length} kernels in ${count} variants. ${kernels.length - tight.length} of them spill nothing and keep at least eight waves on a SIMD in every variant everywhere. The others:`,
    "",
    `| kernel | variants | ${usualTargets.join(" | ")} |`,
    `| --- | --- |${" --- |".repeat(usualTargets.length)}`,
    ...rows,
    "",
    ...Object.entries(leftOut).map(([kernel, why]) => `Left out is ${kernel} (${why}).`),
  ].join("\n");
}

function isTight({ spilledVector, spilledScalar, waves }: Worst): boolean {
  return spilledVector + spilledScalar > 0 || waves < 8;
}

const short = { registers: "r", "workgroup memory": "m", "workgroup size": "s", "wave slots": "" } as const;

/** Waves and what limits them, then spills. */
function cell({ waves, limit, spilledVector, spilledScalar }: Worst): string {
  const spills = [spilledVector > 0 && `${spilledVector} v`, spilledScalar > 0 && `${spilledScalar} s`].filter(Boolean);
  return `${waves}${waves < 8 ? short[limit] : ""}${spills.length > 0 ? `, spills ${spills.join(" ")}` : ""}`;
}
