import { type Command, InvalidArgumentError } from "commander";
import { isFloat } from "../engine/onnx/elements.ts";
import type { Described } from "../engine/onnx/graph.ts";
import { importOnnx } from "../engine/onnx/import.ts";
import type { OnnxArray, OnnxModel } from "../engine/onnx/model.ts";
import { Random } from "../engine/random.ts";
import { wholeNumber } from "./data-options.ts";
import { addTuningOptions, deviceSource, memoryOption, pacedTuning, type TuningFlags } from "./device.ts";
import { UsageError } from "./usage-error.ts";

type Shapes = Readonly<Record<string, readonly number[]>>;

interface OnnxFlags extends TuningFlags {
  readonly shape: Shapes;
  readonly runs: number;
  readonly memory?: number;
}

export function register(program: Command): void {
  const command = program
    .command("onnx")
    .description(
      "run a model in the format of ONNX on the engine with random inputs, or say what it needs that is missing",
    )
    .argument("<file>", "model, with files of external data beside it")
    .option("--shape <name=extents>", "shape of an input, e.g. input=1x3x224x224; again for others", shapes, {})
    .option("--runs <n>", "timed runs after a first one, in which kernels are compiled", wholeNumber(1), 5)
    .option(...memoryOption)
    .addHelpText(
      "after",
      "\nacutance profile -- onnx model.onnx --shape input=1x3x224x224 shows what each kernel costs, by node.",
    );
  addTuningOptions(command).action(run);
}

/** "input=1x3x224x224" beside the shapes that were given before. */
function shapes(text: string, before: Shapes): Shapes {
  const [, name, extents] = /^(.+)=(\d+(?:x\d+)*)?$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("write a name and extents, such as input=1x3x224x224");
  return { ...before, [name]: extents === undefined ? [] : extents.split("x").map(Number) };
}

async function run(file: string, flags: OnnxFlags): Promise<void> {
  using device = await deviceSource(flags)();
  using model = await importOnnx(file, device);
  const unknown = Object.keys(flags.shape).find((name) => !model.inputs.some((input) => input.name === name));
  if (unknown !== undefined)
    throw new UsageError(
      `--shape ${unknown}: the model's inputs are ${model.inputs.map(({ name }) => name).join(", ")}`,
    );
  const random = new Random(1, "onnx inputs");
  const inputs = Object.fromEntries(model.inputs.map((input) => [input.name, arrayFor(input, flags.shape, random)]));
  for (const { name, type } of model.inputs) console.log(`input ${name}: ${type} [${inputs[name]!.shape}]`);
  const first = await timed(model, inputs, (line) => console.log(line));
  const tune = pacedTuning();
  const times: number[] = [];
  for (let i = 0; i < flags.runs; i++) {
    await tune(device);
    times.push(await timed(model, inputs));
  }
  times.sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)]!;
  console.log(`first run ${first.toFixed(0)} ms, then ${median.toFixed(1)} ms (median of ${times.length})`);
}

/** Runs a model until its outputs are on the host. @returns ms */
async function timed(
  model: OnnxModel,
  inputs: Readonly<Record<string, OnnxArray>>,
  tell: (line: string) => void = () => {},
): Promise<number> {
  const start = performance.now();
  const outputs = await model.run(inputs);
  for (const [name, output] of Object.entries(outputs)) {
    const numbers = Array.from((await output.read()) as ArrayLike<number | bigint>, Number);
    const [least, most] = [Math.min(...numbers.slice(0, 1e5)), Math.max(...numbers.slice(0, 1e5))];
    tell(`output ${name}: ${output.type} [${output.shape}], ${least} to ${most}`);
    output.dispose();
  }
  return performance.now() - start;
}

/** Floats from 0 to 1, whole numbers 0, truths false. @throws UsageError where the shape is open */
function arrayFor({ name, type, shape }: Described, given: Shapes, random: Random): OnnxArray {
  const extents = given[name] ?? shape;
  const open = extents?.some((extent) => typeof extent === "string" || extent < 0) ?? true;
  if (!extents || open) {
    const known = shape ? `[${shape.map((extent) => (extent === -1 ? "?" : extent)).join(", ")}]` : "of any shape";
    throw new UsageError(`input ${name} is ${known}: say its shape, such as --shape ${name}=1x3x224x224`);
  }
  const whole = extents as readonly number[];
  const size = whole.reduce((product, extent) => product * extent, 1);
  return { shape: whole, data: Float32Array.from({ length: size }, () => (isFloat(type) ? random.uniform() : 0)) };
}
