import type { Command } from "commander";
import type { MpiRanks } from "../engine/ranks/mpi.ts";
import { writeSplit } from "../models/data/index.ts";
import { methods } from "../models/methods/index.ts";
import { FolderLock } from "../models/training/folder-lock.ts";
import type { Method } from "../models/training/method.ts";
import { expectFreeFolder } from "../models/training/run-folder.ts";
import { ownCheckpoint, resumeTraining, startTraining } from "../models/training/train.ts";
import type { TrainingHooks } from "../models/training/training.ts";
import { decodingOf, namesData, wholeNumber } from "./data-options.ts";
import {
  addTuningOptions,
  checkNumbersOption,
  deviceSource,
  memoryOption,
  pacedTuning,
  rankDevice,
  type TuningFlags,
} from "./device.ts";
import { interruptible } from "./interrupt.ts";
import { addMethodOptions, methodOptions } from "./method-flags.ts";
import { outputFolder } from "./output.ts";
import { inRanks, mpiOption } from "./ranks.ts";
import { progress } from "./terminal.ts";
import {
  addTrainingData,
  expectPicturesAlone,
  picturesAlone,
  type TrainingDataFlags,
  trainingData,
} from "./training-data.ts";
import { finish } from "./training-results.ts";

interface TrainFlags extends TrainingDataFlags, TuningFlags {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly init?: readonly string[];
  readonly from?: string;
  readonly resume?: string;
  readonly featureFolder?: string;
  readonly checkpointSeconds?: number;
  readonly testEachEpoch?: boolean;
  readonly checkNumbers?: boolean;
  readonly memory?: number;
  readonly mpi?: boolean;
}

export function register(program: Command): void {
  const train = program.command("train").description("train a quality model");
  for (const method of methods) registerMethod(train, method);
}

function registerMethod(train: Command, method: Method): void {
  const command = train.command(method.name).description(method.description).addHelpText("after", examples(method));
  addTrainingData(command)
    .option("--out <folder>", "where models, checkpoint and report are written", `runs/${method.name}`)
    .option("--overwrite", "replace the run that the folder holds, which is otherwise left alone")
    .option(
      "--init <file>",
      "weights, safetensors or PyTorch (.pth): of the backbone with torchvision's names, or as --network has them; again for a further part of the network",
      (file: string, before: readonly string[] = []) => [...before, file],
    )
    .option("--from <file>", "go on from a model, such as the stage1.safetensors of an earlier run")
    .option("--resume <folder>", "continue an interrupted run; takes all options from its checkpoint")
    .option("--feature-folder <folder>", "where the output of frozen sections is kept (default: the user's cache)")
    .option("--test-each-epoch", "score the test part after each epoch, too, for the record: nothing is chosen by it")
    .option("--checkpoint-seconds <n>", "longest time between two checkpoints", wholeNumber(0), 300)
    .option("--no-check", "do not decode every picture before the split")
    .option(...memoryOption)
    .option(...checkNumbersOption)
    .option(...mpiOption);
  addTuningOptions(command);
  addMethodOptions(command, method);
  command.action(async (flags: TrainFlags & Record<string, unknown>) => run(method, flags, command));
}

/** What a user may type, the examples of the method among them. */
function examples({ name, examples = [], withoutLabels }: Method): string {
  const rated = withoutLabels
    ? []
    : [
        "--data photos --csv mos.csv --range 0:100 --init resnet18.safetensors",
        "--dataset koniq --data koniq10k --init resnet18.safetensors",
      ];
  const words = [...rated.slice(0, 1), ...examples, ...rated.slice(1), `--resume runs/${name}`];
  const lines = words.map((each) => `  acutance train ${name} ${each}`);
  const together = `  mpirun -n 4${lines[0]!.slice(1)}        four processes, each with an adapter, train together`;
  return ["", "Examples:", ...lines, together].join("\n");
}

async function run(method: Method, flags: TrainFlags & Record<string, unknown>, command: Command): Promise<void> {
  const again = `acutance train ${method.name} --resume ${flags.resume ?? flags.out}`;
  await inRanks(flags, again, (ranks) => trained(method, flags, command, ranks));
}

/** @param ranks those that train together, this process among them; the first writes */
async function trained(
  method: Method,
  flags: TrainFlags & Record<string, unknown>,
  command: Command,
  ranks: MpiRanks | undefined,
): Promise<void> {
  if (method.withoutLabels) expectPicturesAlone(flags, command);
  else if (!flags.resume && !namesData(flags))
    command.error("error: --data and --csv are needed (or --data and --dataset), or --resume", { exitCode: 2 });
  const options = methodOptions(method, flags);
  using stop = interruptible();
  const folder = flags.resume ?? flags.out;
  const isFirst = (ranks?.rank ?? 0) === 0;
  if (ranks) {
    // What mpirun hands on to all ranks, and leaves them time for.
    process.on("SIGUSR2", stop.ask);
    console.error(`${ranks.size} ranks over ${ranks.version.split(",")[0]}`);
  }
  const source = ranks ? rankDevice(flags, ranks) : deviceSource(flags);
  const hooks: TrainingHooks = {
    tune: pacedTuning(),
    folder,
    progress,
    log: (line) => console.error(line),
    signal: stop.signal,
    decoding: decodingOf(flags),
    ...(flags.checkpointSeconds !== undefined && { checkpointSeconds: flags.checkpointSeconds }),
    ...(flags.featureFolder && { featureFolder: flags.featureFolder }),
    testEachEpoch: flags.testEachEpoch === true,
    ...(ranks && { ranks }),
    command: `acutance ${process.argv.slice(2).join(" ")}`,
  };
  const overwrite = flags.overwrite === true;
  // Before the pictures are looked at for nothing.
  if (!isFirst) {
    // The first rank's.
  } else if (!flags.resume) {
    outputFolder(folder, "--out");
    await expectFreeFolder(folder, { overwrite });
  } else await ownCheckpoint(method, folder);
  const data = flags.resume
    ? undefined
    : await (method.withoutLabels ? picturesAlone(flags, stop.signal) : trainingData(flags, options, stop.signal));
  // Held until the record is written, too.
  await using lock = isFirst ? await FolderLock.take(folder, hooks.log) : undefined;
  const held = { ...hooks, ...(lock && { lock }) };
  if (!data) {
    const resumed = await resumeTraining(method, source, held);
    using _device = resumed.model.device;
    if (isFirst) await finish(resumed, folder, `${method.title}, ${folder}`);
    return;
  }
  const onStart = (run: string) => writeSplit(folder, data, run);
  const result = await startTraining(
    method,
    source,
    data,
    options as never,
    { ...held, overwrite, onStart },
    {
      ...(flags.init && { init: flags.init.length === 1 ? flags.init[0]! : flags.init }),
      ...(flags.from && { from: flags.from }),
    },
  );
  using _device = result.model.device;
  if (isFirst) await finish(result, folder, `${method.title} on ${flags.data ?? flags.unlabelled}`);
}
