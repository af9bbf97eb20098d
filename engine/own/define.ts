import { callback, expectArgument, expectNames, ShapeError, shown, text, whole } from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Grid, KernelArgument, Parameter } from "../kernel/argument.ts";
import { flatGrid } from "../kernel/grid.ts";
import { type KernelSource, specialise } from "../kernel/source.ts";
import type { Constants } from "../kernel/template.ts";
import { addKernelText } from "../kernel/text.ts";
import { expectOperands, stored } from "../ops/operands.ts";
import { expectShape, type Shape, Tensor } from "../tensor.ts";

/** Tensors of an operation by the names of its inputs. */
export type Named<Input extends string, Value> = Readonly<Record<Input, Value>>;

/** One call of a kernel of an own operation. */
export interface OwnCall {
  /** Name of the kernel among those of the operation; may be left out where there is one only. */
  readonly kernel?: string;
  /** A tensor for every storage variable of the kernel, by its name there. f16 tensors are widened where they are read. */
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** A number for every field of the kernel's `struct Params`. */
  readonly parameters?: Readonly<Record<string, Parameter>>;
  /** What the template step fills in: `{{NAME}}`, `//#if NAME`, `//#for i in 0..NAME`. */
  readonly constants?: Constants;
  /**
   * Independent invocations. The kernel finds its number as `id.x + id.y * (groups.x * N)`, with N invocations in its
   * workgroup, and returns when it is not below the count. Or give `groups`.
   */
  readonly invocations?: number;
  /** Workgroups in x, y and z. */
  readonly groups?: Grid;
  /** Floating-point operations of the call, for profiles. */
  readonly flops?: number;
}

export interface OperationDefinition<Input extends string, Options extends object> {
  /** Names the operation in errors, profiles and on the tape. */
  readonly name: string;
  /** Names of its inputs, in the order in which they are told of. */
  readonly inputs: readonly Input[];
  /**
   * Text of the kernel, or texts by name: WGSL with the template words of the engine's own kernels, parts of which
   * `//#use number/nan` brings in. Storage variables lie in group 0, at most one uniform, `var<uniform> params: Params` of
   * u32, i32 and f32 fields, in group 1.
   */
  readonly wgsl: string | Readonly<Record<string, string>>;
  /** Shape of the output. Throw a {@link ShapeError} for shapes that do not fit each other. */
  readonly shape: (shapes: Named<Input, Shape>, options: Options) => Shape;
  /** Writes `out`, which has the type of the first input, by one call of a kernel or several. */
  readonly forward: (inputs: Named<Input, Tensor>, out: Tensor, run: (call: OwnCall) => void, options: Options) => void;
  /**
   * Gradients of the inputs, each of its input's shape, from that of the output: made by kernels or by other operations.
   * Inputs that are left out get none. Without this function the operation cannot be differentiated.
   */
  readonly gradient?: (
    inputs: Named<Input, Tensor>,
    outputGradient: Tensor,
    run: (call: OwnCall) => void,
    options: Options,
    out: Tensor,
  ) => Partial<Named<Input, Tensor>>;
  /** Floating-point operations of `forward`, for profiles, where it is one call. */
  readonly flops?: (shapes: Named<Input, Shape>, options: Options) => number;
}

/** An operation of one's own: tensors by name in, one tensor out, recorded on the tape. */
export interface OwnOperation<Input extends string, Options extends object> {
  (inputs: Named<Input, Tensor>, options?: Options): Tensor;
  readonly definition: OperationDefinition<Input, Options>;
}

const definitionNames = {
  name: true,
  inputs: true,
  wgsl: true,
  shape: true,
  forward: true,
  gradient: true,
  flops: true,
};
const callNames = {
  kernel: true,
  bindings: true,
  parameters: true,
  constants: true,
  invocations: true,
  groups: true,
  flops: true,
};

/**
 * Makes an operation of own kernels that is like the engine's: shapes and types are looked at before anything is dispatched,
 * it is recorded on the tape, profiled, planned, rehearsed and checked for NaN as all are.
 *
 * Each tensor is bound as a whole: one that is larger than a binding of the adapter ends with a {@link ShapeError}.
 * @returns the operation: `operation({ x, gate }, options)`
 * @throws TypeError for a definition that lacks something or has something unknown. What a kernel's text has wrong is told at
 * its first call: TemplateError for a word of the template or an interface of another form, GpuError for what the compiler says
 */
export function defineOperation<Input extends string, Options extends object = Record<string, never>>(
  definition: OperationDefinition<Input, Options>,
): OwnOperation<Input, Options> {
  expectDefinition(definition);
  const { name, inputs: names, wgsl, shape, forward, gradient, flops } = definition;
  const texts = typeof wgsl === "string" ? { [name]: wgsl } : wgsl;
  const kernels = new Map(
    Object.entries(texts).map(([kernel, text]) => [kernel, addKernelText(ownName(name, kernel), text)]),
  );

  const operation = (inputs: Named<Input, Tensor>, options: Options = {} as Options): Tensor => {
    expectInputs(name, names, inputs);
    const shapes = Object.fromEntries(names.map((input) => [input, inputs[input].shape])) as Named<Input, Shape>;
    const outShape = shape(shapes, options);
    expectShape(outShape, name);
    const first = inputs[names[0]!];
    const out = Tensor.like(first, outShape);
    const total = flops?.(shapes, options);
    try {
      forward(inputs, out, (call) => runOwn(name, kernels, out, call, total), options);
    } catch (error) {
      out.dispose();
      throw error;
    }
    const given = names.map((input) => inputs[input]);
    if (!gradient) return record(name, given, out, () => refuseGradient(name));
    return record(name, given, out, (dy) => {
      const made = gradient(inputs, dy, (call) => runOwn(name, kernels, dy, call), options, out);
      return gradientsOf(name, names, inputs, made);
    });
  };
  return Object.assign(operation, { definition });
}

function ownName(operation: string, kernel: string): string {
  return kernel === operation ? operation : `${operation}/${kernel}`;
}

function expectDefinition(definition: OperationDefinition<string, never>): void {
  const what = "defineOperation";
  expectNames(what, definition, definitionNames);
  const { name, inputs, wgsl, shape, forward, gradient, flops } = definition;
  expectArgument(what, "name", name, text);
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.some((input) => typeof input !== "string"))
    throw new TypeError(`${what}: inputs must be a list of names, got ${shown(inputs)}`);
  if (new Set(inputs).size !== inputs.length)
    throw new TypeError(`${what}: inputs has a name twice, ${inputs.join(", ")}`);
  const texts = typeof wgsl === "string" ? [wgsl] : Object.values(wgsl ?? {});
  if (texts.length === 0 || texts.some((each) => typeof each !== "string"))
    throw new TypeError(`${what}: wgsl must be the text of a kernel, or texts by name, got ${shown(wgsl)}`);
  for (const [option, value] of Object.entries({ shape, forward, gradient, flops })) {
    const needed = option === "shape" || option === "forward";
    if (needed || value !== undefined) expectArgument(what, option, value, callback);
  }
}

function expectInputs(name: string, names: readonly string[], inputs: Readonly<Record<string, Tensor>>): void {
  if (typeof inputs !== "object" || inputs === null)
    throw new TypeError(`${name} takes its tensors by name, { ${names.join(", ")} }, got ${shown(inputs)}`);
  for (const given of Object.keys(inputs))
    if (!names.includes(given)) throw new TypeError(`${name} has no input "${given}"; it takes ${names.join(", ")}`);
  expectOperands(name, Object.fromEntries(names.map((input) => [input, inputs[input]!])));
}

function runOwn(
  operation: string,
  kernels: ReadonlyMap<string, string>,
  { device }: Tensor,
  call: OwnCall,
  total?: number,
): void {
  expectNames(`a call of ${operation}`, call, callNames);
  const { bindings, parameters = {}, constants = {}, invocations, groups, flops = total } = call;
  const [only] = kernels.keys();
  const { kernel = kernels.size === 1 ? only! : undefined } = call;
  const path = kernel === undefined ? undefined : kernels.get(kernel);
  if (path === undefined) {
    const all = [...kernels.keys()].join(", ");
    const which = kernel === undefined ? "must name one of its kernels" : `has no kernel "${kernel}"`;
    throw new TypeError(`${operation}: a call ${which}, ${all}`);
  }
  if ((invocations === undefined) === (groups === undefined))
    throw new TypeError(`${operation}: a call has either invocations or groups`);
  expectOperands(operation, bindings, allTypes(bindings));
  const args: Record<string, KernelArgument> = {};
  for (const name in bindings) args[name] = bindings[name]!.window();
  const source = sourceOf(path, constants);
  for (const { name } of source.bindings)
    if (!args[name]) throw new TypeError(`${operation}: the call of ${path} binds nothing as "${name}"`);
  for (const name in args)
    if (!source.bindings.some((slot) => slot.name === name))
      throw new TypeError(`${operation}: ${path} has no storage variable "${name}"`);
  if (invocations !== undefined) expectArgument(operation, "invocations", invocations, whole(1));
  const [x, y, z] = source.workgroup;
  const grid = groups ?? flatGrid(device, invocations!, x * y * z);
  device.kernels.run(path, constants, args, parameters, grid, flops === undefined ? undefined : { flops });
}

const sources = new Map<string, KernelSource>();

/** The interface of a kernel, read once for the same constants. */
function sourceOf(path: string, constants: Constants): KernelSource {
  const key = `${path} ${JSON.stringify(constants)}`;
  let source = sources.get(key);
  if (!source) {
    source = specialise(path, constants);
    sources.set(key, source);
  }
  return source;
}

function allTypes(bindings: Readonly<Record<string, Tensor>>) {
  return Object.fromEntries(Object.keys(bindings).map((name) => [name, stored]));
}

function gradientsOf(
  operation: string,
  names: readonly string[],
  inputs: Readonly<Record<string, Tensor>>,
  made: Readonly<Record<string, Tensor | undefined>>,
): (Tensor | undefined)[] {
  expectNames(`the gradients of ${operation}`, made, inputs);
  return names.map((name) => {
    const gradient = made[name];
    if (gradient === undefined) return undefined;
    expectOperands(`the gradient of ${operation}`, { [name]: gradient });
    const [found, wanted] = [gradient.shape, inputs[name]!.shape];
    if (found.join() !== wanted.join())
      throw new ShapeError(`${operation}: the gradient of ${name} is [${found}], ${name} itself [${wanted}]`);
    return gradient;
  });
}

function refuseGradient(operation: string): never {
  throw new ShapeError(
    `${operation} has no gradient; define it with \`gradient\`, or keep it from the tape by withoutGradients`,
  );
}
