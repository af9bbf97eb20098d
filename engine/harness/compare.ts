import type { Device } from "../device/device.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import type { TensorToStore } from "../weights/safetensors.ts";
import { capturedElements, type Loaded, storedTypes } from "./buffers.ts";
import type { CapturedDispatch } from "./capture.ts";
import { type Difference, difference } from "./check.ts";
import type { Description } from "./description.ts";
import { KernelUsageError } from "./errors.ts";
import { type Elements, numbersOf } from "./inputs.ts";
import { referenceOf } from "./reference.ts";

/** Bounds on errors relative to the largest element, where none is given. */
const tolerances = { f32: 1e-4, f16: 4e-3 } as const;

/** How a kernel's result compares with a reference operation. */
export interface Check extends Difference {
  readonly operation: string;
  /** Buffer of the kernel for each operand. */
  readonly operands: Readonly<Record<string, string>>;
}

/** Takes the buffers as they were before and after the first dispatch, and what was expected of them. */
export type Dump = (tensors: TensorToStore[]) => Promise<void>;

/** Buffers as tensors to store: those that are only read by their names, of the others `NAME.before` and `NAME`. */
function dumped(loaded: readonly Loaded[], after: ReadonlyMap<string, Elements>): TensorToStore[] {
  return loaded.flatMap(({ slot: { name }, shape, scalar, before }): TensorToStore[] => {
    const dtype = storedTypes[scalar];
    const found = after.get(name);
    if (!found) return [{ name, dtype, shape, data: before }];
    return [
      { name: `${name}.before`, dtype, shape, data: before },
      { name, dtype, shape, data: found },
    ];
  });
}

/**
 * Compares what the first dispatch left with the reference operation on the same inputs, computed in f32.
 * @param after what it left, by buffer
 * @param map which buffer is which operand; see mapOperands()
 * @returns the comparison and the reference's floating-point operations; undefined without a reference
 * @throws KernelUsageError when shapes, types or options do not fit the operation
 */
export async function compareAndDump(
  device: Device,
  reference: Description["reference"],
  loaded: readonly Loaded[],
  after: ReadonlyMap<string, Elements>,
  map: ReadonlyMap<string, string>,
  dump?: Dump,
): Promise<{ readonly check: Check; readonly flops: number | null } | undefined> {
  if (!reference && !dump) return undefined;
  const tensors = dumped(loaded, after);
  if (!reference) {
    await dump?.(tensors);
    return undefined;
  }
  const { operation } = reference;
  const entry = referenceOf(operation);
  const bufferOf = (operand: string) => loaded.find(({ slot }) => slot.name === map.get(operand))!;
  const names = entry.inputs.map((input) => input.replace("?", "")).filter((operand) => map.has(operand));
  const operands = names.map(bufferOf);
  const out = bufferOf("out");
  const written = after.get(out.slot.name);
  if (!written) throw new KernelUsageError(`buffer "${out.slot.name}" is not written: it cannot be the result`);
  const { values, shape } = await expectedOf(device, operation, operands, reference.options);
  await dump?.([...tensors, { name: `${out.slot.name}.expected`, dtype: "F32", shape, data: values }]);
  const found = numbersOf(written, out.scalar);
  if (values.length !== found.length) {
    const taken = names.map((operand, i) => `${operand} [${operands[i]!.shape.join(", ")}]`).join(", ");
    throw new KernelUsageError(
      `${operation} of ${taken} is [${shape.join(", ")}], buffer "${out.slot.name}" [${out.shape.join(", ")}]`,
    );
  }
  const half = [out, ...operands].some(({ scalar }) => scalar === "f16");
  const tolerance = reference.tolerance ?? tolerances[half ? "f16" : "f32"];
  const shapes = operands.map((operand) => operand.shape);
  return {
    flops: entry.flops?.(shapes, shape) ?? null,
    check: { ...difference(found, values, shape, tolerance), operation, operands: Object.fromEntries(map) },
  };
}

/** The operation's result on the inputs of the kernel, halves widened. */
async function expectedOf(
  device: Device,
  operation: string,
  inputs: readonly Loaded[],
  options: Readonly<Record<string, unknown>> = {},
) {
  const entry = referenceOf(operation);
  const parsed = entry.options.safeParse(options);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "options"}: ${message}`);
    throw new KernelUsageError(`options of ${operation}: ${problems.join("; ")}`);
  }
  const { read, shape } = device.scope(() => {
    const tensors = inputs.map(({ slot, before, shape, scalar }) => {
      if (scalar === "f32" || scalar === "f16") {
        return Tensor.from(device, numbersOf(before, scalar) as Float32Array, shape);
      }
      throw new KernelUsageError(`${operation} is compared on f32 and f16, buffer "${slot.name}" is ${scalar}`);
    });
    try {
      const result = entry.run(tensors, parsed.data as Record<string, never>);
      return { read: result.read(), shape: result.shape };
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const taken = inputs.map(({ slot, shape }) => `${slot.name} [${shape.join(", ")}]`).join(", ");
      throw new KernelUsageError(`${operation} of ${taken}: ${error.message}`);
    }
  });
  return { values: await read, shape };
}

/**
 * Compares what the first dispatch left with what it left in the program that it was captured from: of all buffers that it writes,
 * the one that is farthest off.
 * @returns undefined when it writes none
 */
export function compareCaptured(
  capture: CapturedDispatch,
  loaded: readonly Loaded[],
  after: ReadonlyMap<string, Elements>,
  given: number | undefined,
): Check | undefined {
  const checks = loaded.flatMap((buffer): Check[] => {
    const { slot, scalar, shape } = buffer;
    const found = after.get(slot.name);
    if (!found) return [];
    const expected = capturedElements(capture, buffer, "after");
    // What has no number type of its own is the same to the bit or not.
    const tolerance = given ?? (slot.scalar === "f16" ? tolerances.f16 : slot.scalar === "f32" ? tolerances.f32 : 0);
    const compared = difference(numbersOf(found, scalar), numbersOf(expected, scalar), shape, tolerance);
    return [{ ...compared, operation: "the capture", operands: { out: slot.name } }];
  });
  return checks.reduce<Check | undefined>(
    (worst, next) => (worst && (worst.wrong > next.wrong || worst.relative >= next.relative) ? worst : next),
    undefined,
  );
}
