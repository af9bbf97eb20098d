import { type Command, InvalidArgumentError, Option } from "commander";
import { readCapture } from "../engine/harness/capture.ts";
import { capturedKernel, expandKernel } from "../engine/harness/compile.ts";
import { KernelUsageError } from "../engine/harness/errors.ts";
import { resolveConstants } from "../engine/harness/resolve.ts";
import { InspectError, InspectUsageError } from "../engine/inspect/errors.ts";
import { type InspectOptions, inspectKernels } from "../engine/inspect/inspect.ts";
import { targets, usualTargets } from "../engine/inspect/targets.ts";
import { catalogueEntry } from "../engine/kernel/catalogue.ts";
import { specialise } from "../engine/kernel/source.ts";
import { MissingConstantError, TemplateError } from "../engine/kernel/template.ts";
import { enginePart, partIn } from "../engine/kernel/text.ts";
import { machineCodeOf } from "../engine/profile/machine-code.ts";
import type { MachineCode } from "../engine/profile/profile.ts";
import { type DescriptionFlags, type KernelTask, pointsOf, readTask } from "./kernel-description.ts";
import { inspectPage } from "./kernel-inspect-page.ts";
import { assemblyText, type InspectReport, inspectJson, inspectText } from "./kernel-inspect-report.ts";
import { assignments, lists, placeOf } from "./kernel-options.ts";
import { UsageError } from "./usage-error.ts";

interface InspectFlags extends DescriptionFlags {
  readonly half?: readonly string[];
  readonly gpu?: readonly string[];
  readonly wave?: string;
  readonly asm?: boolean;
  readonly json?: boolean;
  readonly html?: string;
}

const examples = `
Mesa's driver RADV compiles for AMD GPUs that are not there; its figures are those of the compiler, and no measurement. Latency and
throughput are its estimates in cycles: they compare kernels on one GPU. GPUs: ${targets.map(({ name }) => name).join(", ")}.
The hottest loop is the one with most instructions, each counted ten times for every loop around it.

  acutance kernel inspect elementwise/binary -c OP=add -c WORKGROUP=64 --gpu ${usualTargets.join(",")}
  acutance kernel inspect my.wgsl --gpu navi31 --wave 32 --asm
  acutance kernel inspect gemm.wgsl -c WG=32 --gpu navi21,navi31 --sweep TILE_M=4,8,16 --html sweep.html

Exit code: 0 every GPU's compiler took the kernel (of a sweep: at least one point), 1 one did not, 2 wrong usage.`;

export function registerInspect(kernel: Command): void {
  kernel
    .command("inspect")
    .description(
      "compile a kernel for GPUs, which need not be there, and show registers, waves, instructions and hot loop",
    )
    .argument("<kernel>", "a WGSL file, a kernel of the engine such as conv/tile, or a description as for run")
    .option("--gpu <names>", "GPUs to compile for, such as navi31,vega10 (default: the adapter at hand)", gpuList)
    .addOption(new Option("--wave <lanes>", "lanes of a wave (default: the driver's choice)").choices(["32", "64"]))
    .option("--config <file>", "description in JSON, JSONC or TOML; options given here win over it")
    .option("--entry <name>", "entry point, when there are several")
    .option("-c, --constant <name=value>", "for the template step and overrides; repeatable", assignments)
    .option("--half <variables>", "storage variables of the engine's kernel kept as f16, such as x,y", names)
    .option("--sweep <name=values>", "values of a constant, such as TILE_M=4,8,16; repeatable", lists)
    .option("--asm", "print the assembly with its hottest loop marked")
    .option("--json", "print one JSON document, assembly included")
    .option("--html <file>", "write a page with WGSL and assembly side by side")
    .configureHelp({ showGlobalOptions: false })
    .addHelpText("after", examples)
    .action(inspect);
}

function names(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}

/** GPUs of an option, each once. @throws InvalidArgumentError */
export function gpuList(text: string): string[] {
  const list = [...new Set(names(text).map((name) => name.toLowerCase()))];
  const known = targets.map(({ name }) => name);
  const unknown = list.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`there is no GPU "${unknown}" to compile for; there are ${known.join(", ")}`);
  return list;
}

async function inspect(path: string, flags: InspectFlags): Promise<void> {
  // Neither shapes nor a grid are needed to compile.
  const task = readTask(path, flags, { buffers: {}, grid: 1 });
  const points = pointsOf(task);
  const swept = Object.keys(task.description.sweep ?? {});
  if (flags.asm && swept.length > 0) throw new UsageError("--asm shows one kernel; leave out --sweep");
  const html = placeOf("--html", flags.html);
  const sources = points.map((point) => sourceOf(task, point, flags.half));
  const outcomes = await withOptionNames(flags, () => inspectKernels(sources, inspectOptions(flags)));
  const report: InspectReport = {
    kernel: task.file.replace(/\.wgsl$/, task.folder === undefined ? "" : ".wgsl"),
    swept,
    results: points.map((point, i) => ({ point, wgsl: sources[i]!.kernel.wgsl, outcomes: outcomes[i]! })),
  };
  const all = outcomes.flat();
  const [first] = all;
  if (first && all.every((outcome) => "failure" in outcome && outcome.usage))
    throw new UsageError((first as { failure: string }).failure);
  html?.replace(inspectPage(report));
  if (flags.json) console.log(inspectJson(report));
  else console.log(flags.asm ? `${inspectText(report)}\n\n${assemblyText(report)}` : inspectText(report));
  const right = report.results.some(({ outcomes }) => outcomes.every((outcome) => "inspection" in outcome));
  if (!right) process.exitCode = 1;
}

type TargetFlags = Pick<InspectFlags, "gpu" | "wave">;

/** What the engine takes for the flags. */
export function inspectOptions({ gpu, wave }: TargetFlags): InspectOptions {
  return { ...(gpu && { gpus: gpu }), ...(wave && { wave: Number(wave) }) };
}

/** Inspects; messages get the names of options. @throws UsageError */
export async function withOptionNames<T>({ gpu }: TargetFlags, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InspectUsageError) throw new UsageError(error.message);
    if (!(error instanceof InspectError) || gpu) throw error;
    const known = targets.map(({ name }) => name).join(", ");
    throw new UsageError(`${error.message}; --gpu compiles for GPUs that are not here: ${known}`);
  }
}

/**
 * What GPUs make of every point of a task; a point that is refused has none, as its run says why.
 * @throws UsageError, InspectError
 */
export async function machineCodes(
  task: KernelTask,
  points: readonly object[],
  flags: TargetFlags,
): Promise<MachineCode[][]> {
  const sources = points.map((point) => sourceOf(task, point));
  const options = { ...inspectOptions(flags), figuresOnly: true };
  const outcomes = await withOptionNames(flags, () => inspectKernels(sources, options));
  return outcomes.map((row) =>
    row.flatMap((outcome) => ("inspection" in outcome ? [machineCodeOf(outcome.inspection)] : [])),
  );
}

/** The kernel at one point, an engine's as the engine runs it. @throws UsageError */
function sourceOf(
  { source, file, folder, description, capturePath }: KernelTask,
  point: object,
  halves: readonly string[] = [],
) {
  const builtIn = folder === undefined ? file.replace(/\.wgsl$/, "") : undefined;
  if (halves.length > 0 && builtIn === undefined)
    throw new UsageError("--half is for the engine's kernels; a file says itself which buffers are f16");
  try {
    const constants = resolveConstants({ ...description.constants, ...point });
    const expanded = capturePath
      ? capturedKernel(readCapture(capturePath), file)
      : expandKernel(source, constants, file, folder === undefined ? enginePart : partIn(folder));
    const kernel =
      builtIn === undefined
        ? expanded
        : {
            ...expanded,
            wgsl: specialise(builtIn, constants, halves).wgsl,
            lines: halves.length > 0 ? [] : expanded.lines,
          };
    return { kernel, constants, ...(description.entry !== undefined && { entry: description.entry }) };
  } catch (error) {
    const takes =
      error instanceof MissingConstantError && builtIn !== undefined
        ? `; ${builtIn} takes ${catalogueEntry(builtIn).constants.join(", ")} (-c NAME=value; acutance kernel show ${builtIn} says what they may be)`
        : "";
    const usage = error instanceof TemplateError || error instanceof KernelUsageError;
    throw usage ? new UsageError(error.message + takes) : error;
  }
}
