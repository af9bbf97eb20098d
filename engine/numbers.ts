import type { Device } from "./device/device.ts";
import { flatWorkgroup, rowRanges } from "./kernel/grid.ts";
import { LayerPaths, pathOf } from "./layer-paths.ts";
import { type NumberCount, NumericError, type WorkPhase } from "./number-error.ts";
import { Tensor } from "./tensor.ts";

/** One examined tensor, until its counts are read. Holds no tensor, so that nothing lives longer for being examined. */
interface Entry {
  readonly operation: string;
  readonly pass: WorkPhase;
  readonly layer: string;
  readonly name: string | undefined;
  readonly shape: readonly number[];
  /** Slots of the inputs in the table. */
  readonly inputs: readonly number[];
}

/** Slots of the table, 64 KiB, unless a binding holds fewer. When all are in use they are read, without waiting, and used anew. */
const mostSlots = 4096;
const slotBytes = 16;
/** Inputs of one operation that are looked at. */
const mostInputs = 16;
/** Invocations that share a large tensor. */
const mostInvocations = 4096;

/**
 * Counts what is not finite in every tensor that operations and gradients give, on the device, and finds the first at the
 * next read-back. A device has one when it was opened with `checkNumbers`.
 */
export class NumberCheck {
  readonly #device: Device;
  readonly #slots: number;
  #table: Tensor | undefined;
  #entries: Entry[] = [];
  #slotOf = new WeakMap<Tensor, number>();
  readonly #layers = new LayerPaths();
  /** Rejects when an earlier filling of the table held a fault. */
  #earlier: Promise<void> = Promise.resolve();

  constructor(device: Device) {
    this.#device = device;
    device.labels.hold();
    this.#slots = Math.min(mostSlots, Math.floor(device.maximumBindingBytes / slotBytes));
  }

  /**
   * Records the examination of `output` and of those inputs that have not been examined since the last read-back.
   * @param name of what the output is, or is the gradient of
   */
  examine(operation: string, pass: WorkPhase, inputs: readonly Tensor[], output: Tensor, name = output.name): void {
    if (!output.isFloat || this.#device.stream.silent) return;
    const looked = inputs.filter((input) => input.isFloat).slice(0, mostInputs);
    if (this.#entries.length + looked.length + 1 > this.#slots) this.#recycle();
    for (const input of looked) {
      if (this.#slotOf.has(input)) continue;
      const { name, shape } = input;
      this.#count(input, { operation, pass: "input", layer: pathOf(name), name, shape, inputs: [] });
    }
    const inputSlots = looked.map((input) => this.#slotOf.get(input)!);
    const layer = this.#layers.of(looked, this.#device.labels.block);
    this.#layers.note(output, layer);
    this.#count(output, { operation, pass, layer, name, shape: output.shape, inputs: inputSlots });
  }

  /**
   * Resolves when everything recorded so far has been counted.
   * @throws NumericError for the first tensor, in the order of recording, that held a NaN or an infinity
   */
  settle(): Promise<void> {
    if (this.#entries.length > 0) this.#recycle();
    const verdict = this.#earlier;
    this.#earlier = Promise.resolve();
    return verdict;
  }

  #count(tensor: Tensor, entry: Entry): void {
    this.#device.labels.within({ phase: "other", op: "number check" }, () => this.#recordCount(tensor, entry));
  }

  #recordCount(tensor: Tensor, entry: Entry): void {
    this.#table ??= this.#device.owned("number check", () =>
      Tensor.zeros(this.#device, [this.#slots, slotBytes / 4], "u32").keep(),
    );
    const slot = this.#entries.length;
    this.#entries.push(entry);
    this.#slotOf.set(tensor, slot);
    for (const { start, count } of rowRanges(this.#device, Math.ceil(tensor.size / 4), [4])) {
      const elements = Math.min(count * 4, tensor.size - start * 4);
      const invocations = Math.min(count, mostInvocations);
      this.#device.kernels.run(
        "debug/numbers",
        { WORKGROUP: flatWorkgroup },
        { x: tensor.window(start * 4, elements), table: this.#table.window() },
        { count: elements, slot, invocations },
        [Math.ceil(invocations / flatWorkgroup), 1, 1],
      );
    }
  }

  /** Starts reading the counts and makes the table anew. */
  #recycle(): void {
    const table = this.#table!.allocation;
    const entries = this.#entries;
    const bytes = entries.length * slotBytes;
    const reading = this.#device.stream.read(table, 0, bytes);
    this.#device.stream.clear(table, bytes);
    this.#entries = [];
    this.#slotOf = new WeakMap();
    this.#earlier = Promise.all([reading, this.#earlier]).then(([counts]) => judge(entries, new Uint32Array(counts)));
    this.#earlier.catch(() => {}); // thrown by whoever settles next
  }
}

function judge(entries: readonly Entry[], table: Uint32Array): void {
  const first = entries.findIndex((_, slot) => table[4 * slot]! + table[4 * slot + 1]! > 0);
  if (first < 0) return;
  const { operation, pass, layer, inputs } = entries[first]!;
  const counts = inputs.map((slot) => countAt(entries, table, slot));
  throw new NumericError({ ...countAt(entries, table, first), operation, pass, layer, inputs: counts });
}

function countAt(entries: readonly Entry[], table: Uint32Array, slot: number): NumberCount {
  const { name, shape } = entries[slot]!;
  const [nans, infinities, largest, smallest] = table.subarray(4 * slot, 4 * slot + 4);
  const range = largest === 0 ? undefined : ([numberOf(~smallest! >>> 0), numberOf(largest!)] as const);
  return { name, shape, nans: nans!, infinities: infinities!, range };
}

/** The float whose `order` the kernel wrote. */
function numberOf(order: number): number {
  const bits = order >= 0x80000000 ? order ^ 0x80000000 : ~order;
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}
