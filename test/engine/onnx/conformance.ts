import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { type ElementType, type HostArray, hostArray, isFloat } from "../../../engine/onnx/elements.ts";
import { UnsupportedError } from "../../../engine/onnx/errors.ts";
import { readOnnx } from "../../../engine/onnx/import.ts";
import { OnnxModel } from "../../../engine/onnx/model.ts";
import { decode } from "../../../engine/onnx/protobuf.ts";
import { type TensorProto, tensorMessage } from "../../../engine/onnx/schema.ts";
import type { Value } from "../../../engine/onnx/value.ts";
import { bfloatToNumber } from "../../../engine/weights/half.ts";

/** Where Debian's libonnx-testdata keeps the tests of ONNX. */
const testData = "/usr/share/libonnx-testdata/data";

/** Its folders: a test for each operator, and what PyTorch made of modules and functions. */
export type Suite = "node" | "pytorch-converted" | "pytorch-operator";

/**
 * How a test went: by `one` operation of the engine, `composed` of several, without any (`host`: integers, truth values and
 * shapes, which are made there, and other views of the same elements), or not at all.
 */
export type Outcome = "one" | "composed" | "host" | "unsupported" | "failed";

/** Outcomes with the right numbers. */
export const passed: ReadonlySet<Outcome> = new Set(["one", "composed", "host"]);

export interface Result {
  readonly test: string;
  /** Operators of its graph. */
  readonly operators: readonly string[];
  readonly outcome: Outcome;
  /** Why it is unsupported or failed. */
  readonly reason?: string;
}

/** Names of the tests that are installed, in order. */
export function testNames(match = "", suite: Suite = "node"): string[] {
  const folder = join(testData, suite);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.includes(match))
    .sort();
}

function readTensor(path: string): HostArray {
  const none = () => {
    throw new Error(`${path} keeps its data elsewhere`);
  };
  return hostArray(decode<TensorProto>(tensorMessage, readFileSync(path)), none);
}

function arrays(folder: string, kind: "input" | "output"): HostArray[] {
  const files = readdirSync(folder).filter((file) => file.startsWith(`${kind}_`));
  return files.map((_, i) => readTensor(join(folder, `${kind}_${i}.pb`)));
}

/** Runs one test, all its data sets. */
export async function runTest(device: Device, test: string, suite: Suite = "node"): Promise<Result> {
  const folder = join(testData, suite, test);
  let operators: string[] = [];
  const operations = countOperations(device);
  try {
    const { graph, opset } = await readOnnx(join(folder, "model.onnx"));
    operators = [...new Set(graph.nodes.map(({ operator }) => operator))];
    using model = await OnnxModel.of(device, graph, opset);
    for (const set of readdirSync(folder).filter((name) => name.startsWith("test_data_set"))) {
      const inputs = arrays(join(folder, set), "input");
      const given = Object.fromEntries(
        model.inputs.map(({ name, type }, i) => [
          name,
          { data: meant(inputs[i]!, type).numbers, shape: inputs[i]!.shape },
        ]),
      );
      const outputs = await model.run(given);
      const wanted = arrays(join(folder, set), "output");
      for (const [i, array] of wanted.entries()) {
        const found = outputs[model.outputs[i]!.name]!;
        await compare(found, meant(array, found.type));
      }
      for (const output of Object.values(outputs)) output.dispose();
    }
    const count = operations.stop();
    return { test, operators, outcome: count === 0 ? "host" : count === 1 ? "one" : "composed" };
  } catch (error) {
    operations.stop();
    const outcome = error instanceof UnsupportedError ? "unsupported" : "failed";
    return { test, operators, outcome, reason: (error as Error).message };
  }
}

/** The package writes bfloat16 as the whole numbers of its bits. */
function meant(array: HostArray, type: ElementType): HostArray {
  if (type !== "bfloat16" || array.type !== "uint16") return array;
  return { ...array, type, numbers: array.numbers.map(bfloatToNumber) };
}

/** Counts operations that are put on the tape, those left out that move nothing; 1 where something else was dispatched. */
function countOperations({ labels, stream }: Device): { stop: () => number } {
  const original = labels.record;
  const before = stream.dispatches;
  let count = 0;
  labels.record = (operation, inputs, output) => {
    if (operation !== "reshape") count++;
    original.call(labels, operation, inputs, output);
  };
  return {
    stop: () => {
      labels.record = original;
      return count === 0 && stream.dispatches > before ? 1 : count;
    },
  };
}

/** The tolerances of ONNX's own runner. */
const [relative, absolute] = [1e-3, 1e-7];

async function compare(found: Value, wanted: HostArray): Promise<void> {
  if (found.type !== wanted.type) throw new Error(`${found.type} instead of ${wanted.type}`);
  if (`${found.shape}` !== `${wanted.shape}`) throw new Error(`shape [${found.shape}] instead of [${wanted.shape}]`);
  const numbers = await found.fetch();
  wanted.numbers.forEach((number, i) => {
    const other = numbers[i]!;
    const near = isFloat(wanted.type) ? Math.abs(other - number) <= absolute + relative * Math.abs(number) : false;
    if (!(near || other === number || (Number.isNaN(other) && Number.isNaN(number))))
      throw new Error(`element ${i} is ${other} instead of ${number}`);
  });
}

/** Runs all tests whose names have `match` in them. */
export async function runTests(device: Device, match = "", suite: Suite = "node"): Promise<Result[]> {
  const results: Result[] = [];
  for (const test of testNames(match, suite)) results.push(await runTest(device, test, suite));
  return results;
}

/**
 * The operator that a test is for. "Expanded" tests ask for an operator by the function of others that the specification
 * defines it with; they count for the operator in their name.
 */
function subjects(results: readonly Result[]): Map<string, string> {
  const plain = new Map(
    results.filter(({ operators }) => operators.length === 1).map(({ test, operators }) => [test, operators[0]!]),
  );
  return new Map(
    results.map(({ test, operators }) => [
      test,
      plain.get(test) ?? plain.get(test.replace(/_expanded$/, "")) ?? (operators[0] || "other"),
    ]),
  );
}

/** A table in Markdown: an operator a line, tests by outcome. */
export function conformanceTable(results: readonly Result[]): string {
  const names = subjects(results);
  const outcomes: readonly Outcome[] = ["one", "composed", "host", "unsupported", "failed"];
  const groups = Map.groupBy(results, ({ test }) => names.get(test)!);
  const line = (name: string, own: readonly Result[]) =>
    `| ${name} | ${outcomes.map((outcome) => own.filter((result) => result.outcome === outcome).length || "").join(" | ")} |`;
  return [
    `| operator | ${outcomes.join(" | ")} |`,
    `| --- | ${outcomes.map(() => "---").join(" | ")} |`,
    ...[...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, own]) => line(name, own)),
    line("all", results),
  ].join("\n");
}

if (import.meta.main) {
  const device = await openDevice();
  const results = await runTests(device, process.argv[2]);
  console.log(conformanceTable(results));
  for (const { test, outcome, reason } of results)
    if (!passed.has(outcome)) console.log(`${test}: ${outcome}: ${reason}`);
  device[Symbol.dispose]();
}
