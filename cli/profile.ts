import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import { z } from "zod";
import { runArguments } from "../engine/device/check.ts";
import type { Device } from "../engine/device/device.ts";
import { inspectKernels } from "../engine/inspect/inspect.ts";
import { specialise } from "../engine/kernel/source.ts";
import { orders, profileCsv } from "../engine/profile/csv.ts";
import { withMachineCode } from "../engine/profile/machine-code.ts";
import { profilePage } from "../engine/profile/page/profile-page.ts";
import { noisiest, pooled } from "../engine/profile/pool.ts";
import { type Profile, profileSchema } from "../engine/profile/profile.ts";
import { Profiler } from "../engine/profile/profiler.ts";
import { traceEvents } from "../engine/profile/trace-events.ts";
import type { Roofs } from "../engine/tune/roofs.ts";
import { printingAside } from "./aside.ts";
import { commandRoofs } from "./bench-roofs.ts";
import { wholeNumber } from "./data-options.ts";
import { gpuList, inspectOptions, withOptionNames } from "./kernel-inspect.ts";
import { type Output, outputFile, outputFolder, standardOutput } from "./output.ts";
import { registerAb } from "./profile-ab.ts";
import { registerCompare, registerPage, shareOf } from "./profile-compare.ts";
import { dumpSources } from "./profile-dump.ts";
import { opened } from "./profile-hook.ts";
import { flopsOption, programProfile } from "./profile-program.ts";
import { silentProfile } from "./profile-silent.ts";
import { profileText, type TableOptions } from "./profile-table.ts";
import { UsageError } from "./usage-error.ts";

/** The command line for some words. */
type Build = (words: string[]) => Promise<Command>;

interface ProfileFlags extends TableOptions {
  readonly json?: string;
  readonly csv?: string;
  readonly trace?: string;
  readonly html?: string;
  readonly dumpWgsl?: string;
  readonly events: number;
  readonly roofs: boolean;
  readonly inspect?: boolean;
  readonly gpu?: string[];
  readonly wave?: string;
  readonly wholePasses?: boolean;
  readonly coldCache?: boolean;
  readonly flops?: Readonly<Record<string, string>>;
  readonly untilNoise?: number;
  readonly mostRuns: number;
  readonly capture?: string;
  readonly captureFile: string;
  readonly schema?: boolean;
}

/** Forms of a profile, by the flag that asks for them: the text of a file. */
const documents = ["json", "csv", "trace", "html"] as const;
type Document = (typeof documents)[number];

const forms: { readonly [form in Document]: (profile: Profile, flags: TableOptions) => string } = {
  json: (profile) => `${JSON.stringify(profile)}\n`,
  csv: profileCsv,
  trace: (profile) => JSON.stringify(traceEvents(profile)),
  html: (profile) => profilePage(profile),
};

export function register(program: Command, build: Build): void {
  const profile = program
    .command("profile")
    .description(
      "run an acutance command, or any program that uses WebGPU, and show what each kernel of it cost, against the roofs of this adapter",
    )
    .argument("[command...]", "the command or program, e.g. score --model m.safetensors photos, or: bun program.ts")
    .passThroughOptions()
    .addOption(new Option("--sort <figure>", "order of the kernels").choices(Object.keys(orders)).default("total"))
    .option("--filter <text>", "only kernels with this text in op, kernel, layer, phase, variant or shapes")
    .option("--top <n>", "kernels in the table", wholeNumber(1), 30)
    .option(
      "--json <file>",
      "write the profile, as --schema describes it; - for standard output, then the command prints on standard error",
    )
    .option("--csv <file>", "write one row a kernel; - for standard output as with --json")
    .option("--trace <file>", "write a trace for Perfetto (ui.perfetto.dev)")
    .option("--html <file>", "write a page to look at")
    .option(
      "--dump-wgsl <folder>",
      "write the specialised source and layout of every kernel, and what Dawn makes of it",
    )
    .option("--events <n>", "single dispatches that JSON, trace and page list", wholeNumber(0), 20_000)
    .option("--no-roofs", "do not measure the adapter's roofs when they are not known")
    .option("--inspect", "put beside each kernel what a GPU's compiler makes of it: registers, spills, waves")
    .option("--gpu <names>", "GPUs for --inspect, which need not be there (default: the adapter at hand)", gpuList)
    .addOption(new Option("--wave <lanes>", "lanes of a wave for --inspect").choices(["32", "64"]))
    .option("--whole-passes", "of a program: time passes as wholes, which changes least, and take no call stacks")
    .option(
      "--flops <kernel=expression>",
      'of a program: operations of one dispatch of a kernel, such as "blur=18 * invocations"; repeatable',
      flopsOption,
    )
    .option(
      "--until-noise <share>",
      "run it again, without its output, until the median of every kernel of 1 % of the time is known to this, such as 2%",
      shareOf,
    )
    .option("--most-runs <n>", "but not more often than so", wholeNumber(1), 20)
    .option("--cold-cache", "fill the adapter's caches with something else before each dispatch")
    .option(
      "--capture <dispatch>",
      'write a dispatch with its source, layout, constants and buffers, such as "conv/tile #3": the third that has the text in pipeline, label or scope',
    )
    .option("--capture-file <file>", "where to; acutance kernel run takes it", "capture.zip")
    .option("--schema", "print the JSON Schema of a profile and end")
    .addHelpText("after", notes)
    .enablePositionalOptions()
    .action((words: string[], flags: ProfileFlags) => {
      const isCommand = program.commands.some((command) => command.name() === words[0]);
      // A dispatch is captured from outside, ours too.
      if (isCommand && flags.capture === undefined)
        return run(words, flags, (isAside) => commandProfile(words, flags, build, isAside));
      return run(isCommand ? [...ownProgram(), ...words] : words, flags, undefined);
    });
  registerCompare(profile);
  registerAb(profile);
  registerPage(profile);
}

const notes = `
Every dispatch gets a pass of its own with timestamps; results stay the same. A kernel's first call, in which drivers
compile, is marked cold and kept out of its median, unless there is no other; run more of the same work for figures
without it (score several batches, train several steps). Kernels that the tuner tries are counted as op "tuning".

A program is one for Bun, Node or Deno whose WebGPU is navigator.gpu or the package webgpu, of its own or of a library such as
jax-js or TensorFlow.js; WebGPU is wrapped before it starts, also in what it starts in turn. Rows are told by pipeline, label,
marks and debug groups, workgroups and bytes bound; results stay the same. The exit code is the program's.

  acutance profile --html page.html -- bun program.ts`;

/** What runs acutance's commands in a process of their own. */
function ownProgram(): string[] {
  return [process.execPath, ...runArguments(), fileURLToPath(new URL("main.ts", import.meta.url))];
}

/** @param command runs a command of ours; a program is run without. `isAside`: what is printed goes to standard error */
async function run(
  words: string[],
  flags: ProfileFlags,
  command: ((isAside: boolean) => Promise<Profile>) | undefined,
): Promise<void> {
  if (flags.schema) {
    console.log(JSON.stringify(z.toJSONSchema(profileSchema), null, 2));
    return;
  }
  if (words.length === 0)
    throw new UsageError("which command? for example: acutance profile -- score --model m.safetensors photos");
  if (words[0] === "profile") throw new UsageError("a profile of a profile says nothing; name another command");
  const { json, csv, gpu, wave, inspect } = flags;
  if (flags.capture !== undefined) {
    if (flags.wholePasses) throw new UsageError("--capture needs every dispatch by itself; leave out --whole-passes");
    outputFile(flags.captureFile, "--capture-file");
  }
  if (flags.coldCache && flags.wholePasses)
    throw new UsageError("--cold-cache needs every dispatch by itself; leave out --whole-passes");
  if (command && flags.flops) throw new UsageError("--flops is for programs: acutance's operations tell their own");
  if (command && flags.wholePasses) throw new UsageError("--whole-passes is for programs, not for acutance's commands");
  if ((gpu || wave) && !inspect) throw new UsageError(`${gpu ? "--gpu" : "--wave"} is for --inspect; give that too`);
  if (json === "-" && csv === "-")
    throw new UsageError("--json - and --csv - both want standard output; name a file for one");
  // Before the command runs, which may take hours.
  const places = new Map(documents.flatMap((form) => (flags[form] ? [[form, placeOf(form, flags[form])]] : [])));
  if (flags.dumpWgsl) outputFolder(flags.dumpWgsl, "--dump-wgsl");
  if (inspect) await expectInspection(flags);
  // What asks for standard output has it for itself.
  const isAside = json === "-" || csv === "-";
  const profile = command ? await command(isAside) : await programProfile(words, flags, isAside);
  const steady = flags.untilNoise === undefined ? profile : await repeated(words, profile, flags, flags.untilNoise);
  const told = flags.inspect ? await inspectedProfile(steady, flags) : steady;
  await write(told, flags, places);
}

/** Runs it again until the medians are known well enough. */
async function repeated(words: string[], first: Profile, flags: ProfileFlags, bound: number): Promise<Profile> {
  if (first.eventsLeftOut > 0)
    throw new UsageError(`--until-noise needs all ${first.span.dispatches} dispatches; raise --events`);
  const runs: [Profile, ...Profile[]] = [first];
  let found = noisiest(first);
  while (runs.length < flags.mostRuns && found && found.noise > bound) {
    runs.push(await silentProfile(words, repeatedFlags(flags)));
    found = noisiest(pooled(runs));
  }
  const all = pooled(runs);
  if (found) {
    const noise = Number.isFinite(found.noise) ? `± ${(100 * found.noise).toFixed(1)} %` : "an unknown error";
    const missed = found.noise > bound ? `, not to ${(100 * bound).toFixed(1)} %` : "";
    console.error(
      `note: ${runs.length} runs; the least known kernel, ${found.kernel.kernel}, is known to ${noise}${missed}`,
    );
  }
  return all;
}

function repeatedFlags({ coldCache, wholePasses, flops = {} }: ProfileFlags): string[] {
  const told = Object.entries(flops).flatMap(([name, expression]) => ["--flops", `${name}=${expression}`]);
  return [...told, ...(coldCache ? ["--cold-cache"] : []), ...(wholePasses ? ["--whole-passes"] : [])];
}

/** @throws Error when the command opens no device */
async function commandProfile(words: string[], flags: ProfileFlags, build: Build, isAside: boolean): Promise<Profile> {
  const run = () => profiled(words, flags, build);
  const profiles = await (isAside ? printingAside(run) : run());
  // After the loss of a device there are several.
  const profile = profiles.reduce<Profile | undefined>(
    (most, next) => (most && most.span.dispatches >= next.span.dispatches ? most : next),
    undefined,
  );
  if (!profile) throw new Error(`"${words.join(" ")}" opened no device: there is nothing to profile`);
  if (profiles.length > 1) console.error(`note: ${profiles.length} devices were opened; this is the one that did most`);
  return profile;
}

/** Runs a command in this process and profiles every device that it opens. */
async function profiled(
  words: string[],
  { roofs: wanted, events, coldCache = false }: ProfileFlags,
  build: Build,
): Promise<Profile[]> {
  const running: { profiler: Profiler; roofs: Roofs | null }[] = [];
  opened.tell = async (device: Device) => {
    const roofs = wanted ? await commandRoofs(device) : null;
    running.push({ profiler: await Profiler.start(device, { coldCache }), roofs });
  };
  try {
    const program = await build(words);
    await program.parseAsync(words, { from: "user" });
  } finally {
    opened.tell = undefined;
  }
  const profiles: Profile[] = [];
  for (const { profiler, roofs } of running) {
    try {
      profiles.push(await profiler.stop({ command: words.join(" "), roofs, eventLimit: events }));
    } catch (error) {
      console.error(`note: a device has no profile: ${(error as Error).message}`);
    }
  }
  return profiles;
}

/** Tries to inspect a small kernel: what is missing is told before the command runs. @throws UsageError, InspectError */
async function expectInspection(flags: ProfileFlags): Promise<void> {
  const { file, wgsl } = specialise("doctor/square", {});
  const trial = { kernel: { file, wgsl, lines: [] } };
  await withOptionNames(flags, () => inspectKernels([trial], inspectOptions(flags)));
}

/** What goes wrong now is no reason to lose the profile: the command may have run for hours. */
async function inspectedProfile(profile: Profile, flags: ProfileFlags): Promise<Profile> {
  const failures: string[] = [];
  try {
    const options = inspectOptions(flags);
    return await withOptionNames(flags, () => withMachineCode(profile, options, (message) => failures.push(message)));
  } catch (error) {
    console.error(`note: no kernel was inspected: ${(error as Error).message}`);
    process.exitCode = 1;
    return profile;
  } finally {
    for (const failure of failures) console.error(`note: not inspected: ${failure}`);
  }
}

async function write(profile: Profile, flags: ProfileFlags, places: ReadonlyMap<Document, Output>): Promise<void> {
  const { json, csv, dumpWgsl } = flags;
  const onStandardOutput = json === "-" || csv === "-";
  // Files first: a reader of standard output may leave.
  const ordered = [...places].sort(([, a], [, b]) => Number(a === standardOutput) - Number(b === standardOutput));
  for (const [form, place] of ordered) place.replace(forms[form](profile, flags));
  if (dumpWgsl) {
    const { kernels, dumps } = await dumpSources(profile, dumpWgsl);
    const extra = dumps > 0 ? `, ${dumps} with what Dawn made of them` : "";
    console.error(`${kernels} specialised kernels in ${dumpWgsl}${extra}`);
  }
  if (!onStandardOutput) console.log(`\n${profileText(profile, flags)}`);
}

/** Where a form is written: its folder is made, and the place tried. */
function placeOf(form: Document, file: string): Output {
  if (file === "-") return standardOutput;
  mkdirSync(dirname(resolve(file)), { recursive: true });
  return outputFile(file, `--${form}`);
}
