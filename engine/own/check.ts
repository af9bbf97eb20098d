import { expectArgument, expectNames, positive, ShapeError } from "../arguments.ts";
import { backward } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { multiply } from "../ops/arithmetic.ts";
import { cast } from "../ops/cast.ts";
import { sum } from "../ops/reduce.ts";
import { Random } from "../random.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { halfToNumber, numberToHalf } from "../weights/half.ts";
import type { Named, OwnOperation } from "./define.ts";

/** Numbers of the inputs by name, row-major. */
export type Numbers<Input extends string> = Named<Input, Float64Array>;

/** Known results: from a framework, a paper, a calculation by hand. */
export interface GoldenValues<Input extends string, Options> {
  readonly inputs: Named<Input, { readonly shape: Shape; readonly values: readonly number[] }>;
  readonly options?: Options;
  readonly output: readonly number[];
  /** Gradients of the sum of the output. */
  readonly gradients?: Partial<Named<Input, readonly number[]>>;
}

export interface CheckOperationOptions<Input extends string, Options> {
  /** Shapes to draw inputs for; take odd ones, a single element, and more elements than a workgroup has invocations. */
  readonly shapes?: readonly Named<Input, Shape>[];
  readonly options?: Options;
  /**
   * The output in double precision, from the formula and not from the kernel. Gradients are checked against finite differences
   * of it.
   */
  readonly reference?: (inputs: Numbers<Input>, shapes: Named<Input, Shape>, options: Options) => ArrayLike<number>;
  readonly golden?: readonly GoldenValues<Input, Options>[];
  /** Range that inputs are drawn from, evenly; −2 to 2 unless given. */
  readonly range?: readonly [least: number, most: number];
  /** Largest error of the output relative to its largest element; 2e-5 unless given. f16 has 4e-3. */
  readonly tolerance?: number;
  /** The same for gradients; 1e-4 unless given. f16 has 1e-2. */
  readonly gradientTolerance?: number;
  /** Whether NaN and infinities must come out where the reference has them; true unless given. */
  readonly special?: boolean;
  /** The device to check on; without one the best adapter is opened, and closed at the end. */
  readonly device?: Device;
}

/** One comparison. */
export interface OperationFinding {
  /** Such as "[3, 5] [5]: gradient of x, f16". */
  readonly what: string;
  /** Error relative to the largest expected element; NaN where numbers and NaN or infinities do not lie in the same places. */
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
  /** Why it is not, where there is more to say than the error. */
  readonly note?: string;
}

export interface OperationReport {
  readonly ok: boolean;
  readonly findings: readonly OperationFinding[];
  /** The findings as lines of text, those that failed first. */
  readonly text: string;
}

const names = {
  shapes: true,
  options: true,
  reference: true,
  golden: true,
  range: true,
  tolerance: true,
  gradientTolerance: true,
  special: true,
  device: true,
};

/** Bytes of the bindings of a small device: what does not fit must be refused, not be wrong. */
const smallBindingBytes = 4096;

/**
 * Checks an operation of one's own as the engine's are checked: the output against a reference in double precision or golden
 * values, gradients against finite differences of the reference, in f32, in f16 where the adapter has it, on a device without
 * optional features and with small bindings, and with NaN and infinities among the inputs.
 * @throws TypeError when there is neither a reference with shapes nor a golden value, or an option is unknown
 */
export async function checkOperation<Input extends string, Options extends object>(
  operation: OwnOperation<Input, Options>,
  checks: CheckOperationOptions<Input, Options>,
): Promise<OperationReport> {
  expectNames("checkOperation", checks, names);
  const { shapes = [], reference, golden = [], tolerance = 2e-5, gradientTolerance = 1e-4 } = checks;
  expectArgument("checkOperation", "tolerance", tolerance, positive);
  expectArgument("checkOperation", "gradientTolerance", gradientTolerance, positive);
  if (golden.length === 0 && (!reference || shapes.length === 0))
    throw new TypeError("checkOperation needs a reference with shapes to draw inputs for, or golden values");
  const own = checks.device ? undefined : await openDevice();
  const device = checks.device ?? own!;
  const small = await openDevice({
    withoutFeatures: ["subgroups", "shader-f16", "timestamp-query"],
    maximumBindingBytes: smallBindingBytes,
  });
  try {
    const findings: OperationFinding[] = [];
    const check = new Check(operation, checks, findings);
    for (const values of golden) await check.golden(device, values);
    if (reference) {
      for (const shape of shapes) {
        await check.drawn(device, shape, "f32");
        if (device.features.has("shader-f16")) await check.drawn(device, shape, "f16");
        await check.drawn(small, shape, "f32", ", small bindings");
        if (checks.special ?? true) await check.special(device, shape);
      }
    }
    const sorted = findings.toSorted((a, b) => Number(a.ok) - Number(b.ok));
    return { ok: findings.every(({ ok }) => ok), findings, text: sorted.map(lineOf).join("\n") };
  } finally {
    small.close();
    own?.close();
  }
}

function lineOf({ ok, what, error, tolerance, note }: OperationFinding): string {
  const bound = `error ${error.toExponential(1)}, at most ${tolerance.toExponential(0)}`;
  return `${ok ? "ok    " : "WRONG "} ${what}: ${note ?? bound}`;
}

class Check<Input extends string, Options extends object> {
  readonly #operation: OwnOperation<Input, Options>;
  readonly #checks: CheckOperationOptions<Input, Options>;
  readonly #findings: OperationFinding[];
  readonly #inputs: readonly Input[];
  readonly #options: Options;
  readonly #tolerance: number;
  readonly #gradientTolerance: number;

  constructor(
    operation: OwnOperation<Input, Options>,
    checks: CheckOperationOptions<Input, Options>,
    findings: OperationFinding[],
  ) {
    this.#operation = operation;
    this.#checks = checks;
    this.#findings = findings;
    this.#inputs = operation.definition.inputs;
    this.#options = checks.options ?? ({} as Options);
    this.#tolerance = checks.tolerance ?? 2e-5;
    this.#gradientTolerance = checks.gradientTolerance ?? 1e-4;
  }

  async golden(
    device: Device,
    { inputs, options, output, gradients = {} }: GoldenValues<Input, Options>,
  ): Promise<void> {
    const shapes = this.#each((name) => inputs[name].shape);
    const numbers = this.#each((name) => Float64Array.from(inputs[name].values));
    const found = await this.#run(device, shapes, numbers, "f32", undefined, options);
    const what = `golden ${this.#shapeText(shapes)}`;
    this.#compare(`${what}: output`, found.output, output, this.#tolerance);
    for (const name of this.#inputs) {
      const expected = (gradients as Partial<Record<Input, readonly number[]>>)[name];
      if (expected)
        this.#compare(`${what}: gradient of ${name}`, found.gradients[name], expected, this.#gradientTolerance);
    }
  }

  /** Inputs at random, against the reference and its finite differences. */
  async drawn(device: Device, shapes: Named<Input, Shape>, type: "f32" | "f16", where = ""): Promise<void> {
    const numbers = this.#draw(shapes, type);
    const what = (part: string) => `${this.#shapeText(shapes)}: ${part}, ${type}${where}`;
    const expected = this.#reference(numbers, shapes);
    const weights = this.#random("weights", expected.length, [-1, 1], "f16");
    let found: Results<Input>;
    try {
      found = await this.#run(device, shapes, numbers, type, weights);
    } catch (error) {
      if (!where || !(error instanceof ShapeError)) throw error;
      this.#findings.push({ what: what("output"), error: 0, tolerance: 0, ok: true, note: "refused, as it should be" });
      return;
    }
    const [tolerance, gradientTolerance] =
      type === "f32"
        ? [this.#tolerance, this.#gradientTolerance]
        : [Math.max(4e-3, this.#tolerance), Math.max(1e-2, this.#gradientTolerance)];
    this.#compare(what("output"), found.output, expected, tolerance);
    if (!this.#operation.definition.gradient) return;
    for (const name of this.#inputs) {
      const gradient = found.gradients[name];
      if (!gradient) continue;
      const slopes = this.#slopes(numbers, shapes, name, weights);
      this.#compare(what(`gradient of ${name}`), gradient, slopes, gradientTolerance);
    }
  }

  /** NaN, ∞ and −∞ in turn at one place of each input: the output has them where the reference has. */
  async special(device: Device, shapes: Named<Input, Shape>): Promise<void> {
    for (const name of this.#inputs) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const numbers = this.#draw(shapes, "f32");
        numbers[name][Math.floor(numbers[name].length / 2)] = value;
        const { output } = await this.#run(device, shapes, numbers, "f32");
        const what = `${this.#shapeText(shapes)}: output where ${name} has ${value}`;
        this.#compare(what, output, this.#reference(numbers, shapes), this.#tolerance);
      }
    }
  }

  async #run(
    device: Device,
    shapes: Named<Input, Shape>,
    numbers: Numbers<Input>,
    type: "f32" | "f16",
    weights?: Float64Array,
    options = this.#options,
  ): Promise<Results<Input>> {
    const differentiable = this.#operation.definition.gradient !== undefined;
    const reads = device.scope(() => {
      const tensors = this.#each((name) => {
        const tensor = Tensor.from(device, Float32Array.from(numbers[name]), shapes[name]);
        tensor.requiresGradient = differentiable;
        return tensor;
      });
      const given = type === "f32" ? tensors : this.#each((name) => cast(tensors[name], "f16"));
      const out = cast(this.#operation(given, options), "f32");
      if (differentiable) {
        const factors = weights ? Float32Array.from(weights) : new Float32Array(out.size).fill(1);
        backward(sum(multiply(out, Tensor.from(device, factors, out.shape))));
      }
      return { output: out.read(), gradients: this.#each((name) => tensors[name].gradient?.read()) };
    });
    const gradients = {} as Record<Input, Float32Array | undefined>;
    const output = await reads.output;
    for (const name of this.#inputs) gradients[name] = await reads.gradients[name];
    return { output, gradients };
  }

  #reference(numbers: Numbers<Input>, shapes: Named<Input, Shape>): Float64Array {
    return Float64Array.from(this.#checks.reference!(numbers, shapes, this.#options));
  }

  /** Central differences of Σ weights · reference, in double precision. */
  #slopes(numbers: Numbers<Input>, shapes: Named<Input, Shape>, name: Input, weights: Float64Array): Float64Array {
    const step = 1e-5;
    const values = numbers[name];
    return values.map((value, i) => {
      const at = (x: number) => {
        values[i] = x;
        return this.#reference(numbers, shapes).reduce((total, y, k) => total + y * weights[k]!, 0);
      };
      const slope = (at(value + step) - at(value - step)) / (2 * step);
      values[i] = value;
      return slope;
    });
  }

  #draw(shapes: Named<Input, Shape>, type: "f32" | "f16"): Numbers<Input> {
    return this.#each((name) => this.#random(name, sizeOf(shapes[name]), this.#checks.range ?? [-2, 2], type));
  }

  #random(stream: string, size: number, [least, most]: readonly [number, number], type: "f32" | "f16"): Float64Array {
    const random = new Random(1, `check of an operation: ${stream}`);
    const stored = type === "f16" ? (x: number) => halfToNumber(numberToHalf(x)) : Math.fround;
    return Float64Array.from({ length: size }, () => stored(least + (most - least) * (random.word() / 2 ** 32)));
  }

  #each<Value>(make: (name: Input) => Value): Record<Input, Value> {
    return Object.fromEntries(this.#inputs.map((name) => [name, make(name)])) as Record<Input, Value>;
  }

  #shapeText(shapes: Named<Input, Shape>): string {
    return this.#inputs.map((name) => `[${shapes[name].join(", ")}]`).join(" ");
  }

  #compare(what: string, found: ArrayLike<number> | undefined, expected: ArrayLike<number>, tolerance: number): void {
    if (!found || found.length !== expected.length) {
      const note = found ? `has ${found.length} elements where ${expected.length} are expected` : "there is none";
      this.#findings.push({ what, error: Number.NaN, tolerance, ok: false, note });
      return;
    }
    const error = errorOf(found, expected);
    const place = Number.isNaN(error) ? firstOtherKind(found, expected) : undefined;
    const note = place === undefined ? undefined : `element ${place} is ${found[place]}, not ${expected[place]}`;
    this.#findings.push({ what, error, tolerance, ok: error <= tolerance, ...(note && { note }) });
  }
}

interface Results<Input extends string> {
  readonly output: Float32Array;
  readonly gradients: Named<Input, Float32Array | undefined>;
}

/** Whether two numbers are both finite, or the same NaN or infinity. */
function sameKind(a: number, b: number): boolean {
  return Number.isFinite(a) ? Number.isFinite(b) : Object.is(a, b);
}

function firstOtherKind(found: ArrayLike<number>, expected: ArrayLike<number>): number | undefined {
  for (let i = 0; i < expected.length; i++) if (!sameKind(found[i]!, expected[i]!)) return i;
  return undefined;
}

/** Largest difference of finite elements relative to the largest expected one. */
function errorOf(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (!sameKind(found[i]!, expected[i]!)) return Number.NaN;
    if (!Number.isFinite(expected[i]!)) continue;
    worst = Math.max(worst, Math.abs(found[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return largest === 0 ? worst : worst / largest;
}
