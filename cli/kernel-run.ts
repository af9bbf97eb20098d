import { type Command, InvalidArgumentError, Option } from "commander";
import { referenceNames } from "../engine/harness/reference.ts";
import { superviseRuns } from "../engine/harness/supervise.ts";
import type { Roofs } from "../engine/tune/roofs.ts";
import { openWeights } from "../engine/weights/open.ts";
import { commandRoofs, machineText } from "./bench-roofs.ts";
import { wholeNumber } from "./data-options.ts";
import { openCommandDevice } from "./device.ts";
import { type DescriptionFlags, type KernelTask, pointsOf, readTask } from "./kernel-description.ts";
import { gpuList, machineCodes } from "./kernel-inspect.ts";
import { assignments, lists, placeOf } from "./kernel-options.ts";
import { csvOf, jsonOf, judged, pageOf, type Report, runText, svgOf, sweepText } from "./kernel-report.ts";
import { shareOf } from "./profile-compare.ts";
import { type Progress, progress } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

interface RunFlags extends DescriptionFlags {
  readonly runs: number;
  readonly untilNoise?: number;
  readonly coldCache?: boolean;
  readonly timeout: number;
  readonly inputs?: string;
  readonly dump?: string;
  readonly roofs: boolean;
  readonly bounds: boolean;
  readonly inspect?: boolean;
  readonly gpu?: string[];
  readonly wave?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly svg?: string;
  readonly html?: string;
}

const examples = `
Names in expressions: constants, buffers (a[0], a.size, a.bytes), workgroup[0]; + - * / % **, ceil, floor, round, abs, sqrt, log2, min, max, test ? a : b.
Shapes count numbers: an array<vec4f> of shape M,K holds M·K / 4 vec4s. A uniform's field without --param takes the constant of its name.

  acutance kernel run gemm.wgsl -c M=512 -c N=512 -c K=256 -b a=M,K -b b=K,N -b c=M,N --grid "ceil(N / 16), ceil(M / 16)" --reference matmul
  acutance kernel run gemm.toml --sweep TILE_M=4,8,16 --sweep WG=32,64 --html sweep.html

A dispatch that "acutance profile --capture" has written runs with the buffers that it had, and is compared with what it left:

  acutance kernel run capture.zip --sweep WG=32,64

Buffers that the kernel writes hold NaN before it runs (integers: a pattern), unless they have a --fill, are in --inputs, or are an
operand by --map. Accesses out of bounds fail, those of buffers, workgroup memory and variables whose type the source writes.

References: ${referenceNames.join(", ")}.

Exit code: 0 the kernel ran (of a sweep: at least one point) and agrees with its reference, 1 it did not, 2 wrong usage.`;

export function registerRun(kernel: Command): void {
  kernel
    .command("run")
    .description("run a WGSL kernel, compare it with an operation of the engine, and time it")
    .argument("<file>", "the kernel, a JSON, JSONC or TOML file that describes the run, or a captured dispatch (.zip)")
    .option("--config <file>", "description in JSON, JSONC or TOML; options given here win over it")
    .option("--entry <name>", "entry point, when there are several")
    .option("-c, --constant <name=value>", "for the template step, overrides and expressions; repeatable", assignments)
    .option("-b, --buffer <name=shape>", "shape of a storage buffer, such as a=M,K; repeatable", assignments)
    .option("--type <name=type>", "f32, f16, u32 or i32 where the source does not tell; repeatable", assignments)
    .option(
      "--fill <name=what>",
      "a number, nan, index, uniform(low, high), normal, integers(low, high); repeatable",
      assignments,
    )
    .option("--param <name=expression>", "a field of the uniform; repeatable", assignments)
    .option("--grid <expressions>", 'workgroups in x, y, z, such as "ceil(N / 64), M"')
    .option("--reference <operation>", "operation of the engine to compare with")
    .option("--map <operand=buffer>", "which buffer is which operand of the reference; repeatable", assignments)
    .option("--option <name=value>", "an option of the reference, such as stride=2; repeatable", assignments)
    .option("--tolerance <share>", "largest error relative to the largest element (default: 1e-4, for f16 4e-3)", share)
    .option(
      "--flops <expression>",
      "operations of one dispatch, a multiply-add counted as two (default: the reference's)",
    )
    .option("--bytes <expression>", "bytes of one dispatch (default: every buffer once)")
    .option("--sweep <name=values>", "values of a constant, such as TILE_M=4,8,16; repeatable", lists)
    .option("--runs <n>", "timed runs", wholeNumber(1), 10)
    .option("--until-noise <share>", "further runs, to 200, until the median is known to this, such as 2%", shareOf)
    .option("--cold-cache", "time single dispatches whose caches are filled with something else before")
    .option("--seed <n>", "decides random inputs", wholeNumber(0))
    .option("--timeout <seconds>", "a kernel that takes longer in all has failed", wholeNumber(1), 60)
    .option("--inputs <file>", "safetensors file with contents of buffers by their names")
    .option("--dump <file>", "write all buffers, before and after, to a safetensors file")
    .option("--no-bounds", "do not look for accesses out of bounds, which WebGPU clamps or drops")
    .option("--no-roofs", "leave out shares of the adapter's roofs")
    .option("--inspect", "tell what a GPU's compiler makes of it too: registers, spills, waves")
    .option("--gpu <names>", "GPUs for --inspect, which need not be there (default: the adapter at hand)", gpuList)
    .addOption(new Option("--wave <lanes>", "lanes of a wave for --inspect").choices(["32", "64"]))
    .option("--json", "print one JSON document")
    .option("--csv", "print CSV, a line for each point")
    .option("--svg <file>", "write the heat map of a sweep")
    .option("--html <file>", "write a page with the heat map and the table of a sweep")
    .configureHelp({ showGlobalOptions: false })
    .addHelpText("after", examples)
    .action(run);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new InvalidArgumentError("expected a number of at least 0");
  return value;
}

async function run(path: string, flags: RunFlags): Promise<void> {
  const task = readTask(path, flags);
  const { file, description } = task;
  const points = pointsOf(task);
  const swept = Object.keys(description.sweep ?? {});
  if (flags.dump && swept.length > 0) throw new UsageError("--dump writes the buffers of one run; leave out the sweep");
  if ((flags.svg || flags.html) && swept.length === 0)
    throw new UsageError("--svg and --html show a sweep; give --sweep");
  if ((flags.gpu || flags.wave) && !flags.inspect)
    throw new UsageError(`${flags.gpu ? "--gpu" : "--wave"} is for --inspect; give that too`);
  placeOf("--dump", flags.dump);
  const [svg, html] = [placeOf("--svg", flags.svg), placeOf("--html", flags.html)];
  if (flags.inputs !== undefined && task.capturePath)
    throw new UsageError("--inputs does not go with a captured dispatch, which has its own");
  if (flags.inputs !== undefined) await expectInputs(flags.inputs, description);
  const codes = flags.inspect ? await machineCodes(task, points, flags) : [];
  const { machine, roofs } = await surroundings(flags.roofs);
  let bar: Progress | undefined;
  if (swept.length > 0) bar = progress("sweeping", points.length);
  const { tolerance, untilNoise, coldCache, runs, bounds } = flags;
  const request = {
    ...{ ...task, points, runs, bounds },
    ...(tolerance !== undefined && { tolerance }),
    ...(untilNoise !== undefined && { noise: untilNoise }),
    ...(coldCache && { coldCache }),
  };
  const outcomes = await superviseRuns(
    { ...request, ...(flags.inputs && { inputsPath: flags.inputs }), ...(flags.dump && { dumpPath: flags.dump }) },
    flags.timeout * 1000,
    ({ point }) =>
      bar?.advance(
        1,
        Object.entries(point)
          .map(([name, value]) => `${name}=${value}`)
          .join(" "),
      ),
  ).finally(() => bar?.stop());
  const [only] = outcomes;
  if (swept.length === 0 && only && "failure" in only && only.usage) throw new UsageError(only.failure);
  const results = outcomes.map((outcome, i) => ({
    ...judged(outcome, roofs),
    ...(codes[i] && { machineCode: codes[i] }),
  }));
  const report: Report = { file, machine, swept, results };
  if (svg) svg.replace(await svgOf(report));
  if (html) html.replace(await pageOf(report));
  if (flags.json) console.log(jsonOf(report));
  else if (flags.csv) process.stdout.write(csvOf(report));
  else console.log(swept.length > 0 ? sweepText(report) : runText(report));
  if (report.results.some(({ problem }) => problem === undefined)) return;
  process.exitCode = outcomes.every((outcome) => "failure" in outcome && outcome.usage) ? 2 : 1;
}

/** @throws UsageError when the file cannot be read or has nothing for any buffer */
async function expectInputs(path: string, { buffers }: KernelTask["description"]): Promise<void> {
  try {
    await using file = await openWeights(path);
    const names = [...file.tensors.keys()];
    if (names.some((name) => Object.hasOwn(buffers, name))) return;
    const known = Object.keys(buffers).join(", ");
    throw new UsageError(`--inputs ${path} has ${names.join(", ") || "no tensors"}; the buffers are ${known}`);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`--inputs: ${(error as Error).message}`);
  }
}

/** The machine in words and its roofs. The device is closed again: kernels run in processes of their own. */
async function surroundings(wanted: boolean): Promise<{ machine: string; roofs: Roofs | undefined }> {
  using device = await openCommandDevice();
  return { machine: machineText(device), roofs: wanted ? await commandRoofs(device) : undefined };
}
