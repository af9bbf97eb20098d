import { expectArgument, oneOf, ShapeError, shown } from "./arguments.ts";
import type { Device } from "./device/device.ts";
import { GpuError } from "./device/errors.ts";
import { type DataType, type ElementSource, elementBytes, elementsFor, isWhole } from "./elements.ts";
import type { KernelArgument } from "./kernel/argument.ts";
import type { Allocation } from "./memory/allocation.ts";
import { halvesToNumbers } from "./weights/half.ts";

export { type DataType, elementBytes, ShapeError };

/** Sizes of the axes, outermost first; the last axis is contiguous in memory. */
export type Shape = readonly number[];

/** How a tensor was computed, as the tape needs it to go back. */
export interface GradientNode {
  readonly operation: string;
  readonly inputs: readonly Tensor[];
  /** Gradient of the output → gradient of each input, undefined for an input that needs none. */
  readonly gradient: (outputGradient: Tensor) => readonly (Tensor | undefined)[];
}

/** A buffer shared by every handle on the same elements. */
interface Storage {
  readonly allocation: Allocation;
  handles: number;
}

const dataTypes = oneOf(...Object.keys(elementBytes));

/** Elements as the host has them. */
type Elements =
  | Float32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

const hostArrays = { f32: Float32Array, u32: Uint32Array, i32: Int32Array, u8: Uint8Array } as const;

/** @throws ShapeError when it is no list of whole numbers of at least 0 */
export function expectShape(shape: Shape, operation = ""): void {
  const whose = operation && `${operation}: `;
  if (!Array.isArray(shape)) throw new ShapeError(`${whose}a shape is a list of extents, found ${shown(shape)}`);
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0)
      throw new ShapeError(`${whose}${shown(shape)} is not a shape: extents are whole and at least 0`);
  }
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/**
 * A dense row-major array on a device. A handle ends by `dispose`, by `using`, or with the device scope in which it was
 * made; the buffer goes back to the pool with its last handle.
 */
export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DataType;
  /** Number of elements. */
  readonly size: number;
  /** True for parameters: `backward` leaves their gradient in {@link gradient}. */
  requiresGradient = false;
  /** Such as "layer1.0.conv1.weight", for messages. */
  name: string | undefined;
  node: GradientNode | undefined;
  /** Kept by the scopes of the device. */
  looseBytes = 0;
  readonly #storage: Storage;
  #disposed = false;
  #gradient: Tensor | undefined;

  private constructor(device: Device, shape: Shape, dtype: DataType, storage: Storage) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.size = sizeOf(shape);
    this.#storage = storage;
    storage.handles++;
    device.scopes.add(this);
  }

  /** A tensor whose elements are not yet written. */
  static empty(device: Device, shape: Shape, dtype: DataType = "f32"): Tensor {
    return Tensor.#make(device, shape, dtype, false);
  }

  static #make(device: Device, shape: Shape, dtype: DataType, filled: boolean): Tensor {
    expectShape(shape);
    if (!Object.hasOwn(elementBytes, dtype)) expectArgument("a tensor", "its type", dtype, dataTypes);
    if (dtype === "f16" && !device.features.has("shader-f16")) {
      throw new ShapeError(`f16 needs the feature shader-f16, which this adapter does not have; use f32`);
    }
    device.check();
    // Kernels read and write whole vec4s, so the last one is always complete.
    const bytes = Math.ceil(sizeOf(shape) / 4) * 4 * elementBytes[dtype];
    return new Tensor(device, shape, dtype, { allocation: device.memory.acquire(bytes, filled), handles: 0 });
  }

  /** A tensor of the device and element type of `model`, of its shape unless given; elements not yet written. */
  static like(model: Tensor, shape: Shape = model.shape): Tensor {
    return Tensor.empty(model.device, shape, model.dtype);
  }

  /**
   * Uploads elements given in row-major order, as a typed array, a list of numbers, or lists in each other. Numbers are converted one by
   * one, never seen as the bytes they lie in.
   * @param dtype of the tensor; unless given u32 for a Uint32Array, i32 for an Int32Array, else f32
   * @throws ShapeError when there are not as many as the shape has, or something is no number
   * @throws RangeError for a finite number beyond f32, for an integer of an integer array that f32 does not hold exactly, and for what is no
   * whole number that u32, i32 or u8 holds
   * @throws GpuError in work that a plan records: its replays would see the elements of the recording
   */
  static from(device: Device, data: ElementSource, shape: Shape, dtype?: DataType): Tensor {
    if (device.stream.recorder) {
      throw new GpuError(
        `elements [${shape}] are uploaded in a traced step and would be the same in every replay; upload them before, or use Tensor.constant`,
      );
    }
    return Tensor.constant(device, data, shape, dtype);
  }

  /** {@link Tensor.from} for elements that are the same every time, such as tables: allowed in what a plan records. */
  static constant(device: Device, data: ElementSource, shape: Shape, dtype?: DataType): Tensor {
    expectShape(shape);
    if (dtype !== undefined) expectArgument("a tensor", "its type", dtype, dataTypes);
    const stored = elementsFor(data, shape, dtype);
    const tensor = Tensor.#make(device, shape, stored.dtype, true);
    device.stream.upload(tensor.#storage.allocation, stored.elements);
    return tensor;
  }

  static zeros(device: Device, shape: Shape, dtype: DataType = "f32"): Tensor {
    const tensor = Tensor.empty(device, shape, dtype);
    device.stream.clear(tensor.allocation, tensor.sizeBytes);
    return tensor;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Bytes of the elements, without padding. */
  get sizeBytes(): number {
    return this.size * elementBytes[this.dtype];
  }

  /** Bytes that are free at the end of this handle, as far as it is the only one. */
  get ownBytes(): number {
    return this.#storage.handles === 1 ? this.#storage.allocation.sizeBytes : 0;
  }

  /** True for f32 and f16. */
  get isFloat(): boolean {
    return !isWhole(this.dtype);
  }

  /** Sum of the gradients so far. One that was disposed of counts as none. */
  get gradient(): Tensor | undefined {
    return this.#gradient?.disposed ? undefined : this.#gradient;
  }

  set gradient(gradient: Tensor | undefined) {
    this.#gradient = gradient;
  }

  get allocation(): Allocation {
    if (this.#disposed) throw new Error(`a tensor of shape [${this.shape}] was used after it was disposed of`);
    return this.#storage.allocation;
  }

  /** True while another handle shows the same elements: writing in place would change that one too. */
  get shared(): boolean {
    return this.#storage.handles > 1;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** True when gradients flow to or through this tensor. */
  get tracked(): boolean {
    return this.requiresGradient || this.node !== undefined;
  }

  /**
   * The tensor, or elements `start … start + count` of it, as a kernel argument.
   * @throws ShapeError when the window is larger than one binding of the adapter, or starts unaligned
   */
  window(start = 0, count = this.size - start): KernelArgument {
    // Without elements too there is a vec4 to bind.
    const sizeBytes = Math.ceil(Math.max(1, count) / 4) * 4 * elementBytes[this.dtype];
    const { offsetAlignment, maximumBindingBytes } = this.device;
    if (sizeBytes > maximumBindingBytes) {
      throw new ShapeError(
        `${sizeBytes} bytes of a tensor [${this.shape}] do not fit one binding (${maximumBindingBytes} bytes on this adapter)`,
      );
    }
    const offsetBytes = start * elementBytes[this.dtype];
    if (offsetBytes % offsetAlignment !== 0) {
      throw new ShapeError(`a window of a tensor cannot start at byte ${offsetBytes} on this adapter`);
    }
    const shape = start === 0 && count >= this.size ? this.shape : [count];
    return { device: this.device, allocation: this.allocation, dtype: this.dtype, offsetBytes, sizeBytes, shape };
  }

  /** A second handle on the same elements under another shape of equal size. Not recorded on the tape. */
  alias(shape: Shape = this.shape): Tensor {
    expectShape(shape);
    if (sizeOf(shape) !== this.size) throw new ShapeError(`[${this.shape}] cannot be seen as [${shape}]: sizes differ`);
    this.allocation;
    return new Tensor(this.device, shape, this.dtype, this.#storage);
  }

  /**
   * Overwrites all elements from the host; numbers are converted to the type of the tensor, as {@link Tensor.from} does.
   * @throws RangeError for a number that the type does not hold
   */
  write(data: ElementSource): void {
    if (this.device.stream.recorder)
      throw new GpuError("a traced step wrote to a tensor from the host; write before it");
    const { elements } = elementsFor(data, this.shape, this.dtype);
    this.device.check();
    this.device.stream.upload(this.allocation, elements);
  }

  /** Copies all elements to the host, f32 and f16 as f32. The copy is recorded at once: later operations do not change it. */
  async read(): Promise<Float32Array<ArrayBuffer>> {
    return (await this.#readAs("read", "f32", "f16")) as Float32Array<ArrayBuffer>;
  }

  /** {@link read} for a u32 tensor. */
  async readIndices(): Promise<Uint32Array<ArrayBuffer>> {
    return (await this.#readAs("readIndices", "u32")) as Uint32Array<ArrayBuffer>;
  }

  /** {@link read} for an i32 tensor. */
  async readIntegers(): Promise<Int32Array<ArrayBuffer>> {
    return (await this.#readAs("readIntegers", "i32")) as Int32Array<ArrayBuffer>;
  }

  /** {@link read} for a u8 tensor. */
  async readBytes(): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#readAs("readBytes", "u8")) as Uint8Array<ArrayBuffer>;
  }

  /** {@link read} for a tensor of any type, as the array of that type. */
  async readElements(): Promise<Elements> {
    const bytes = await this.#bytes();
    if (this.dtype === "f16") return halvesToNumbers(new Uint16Array(bytes));
    return new hostArrays[this.dtype](bytes);
  }

  #readAs(name: string, ...types: readonly DataType[]): Promise<Elements> {
    if (types.includes(this.dtype)) return this.readElements();
    const way = { f32: "read", f16: "read", u32: "readIndices", i32: "readIntegers", u8: "readBytes" }[this.dtype];
    throw new ShapeError(`${name}() is for ${types.join(" and ")} tensors; use ${way}() for ${this.dtype}`);
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item() needs one element, [${this.shape}] has ${this.size}`);
    return (await this.read())[0]!;
  }

  /** Takes the tensor out of all scopes; from now on it lives until `dispose`. */
  keep(): this {
    this.device.scopes.keep(this);
    return this;
  }

  /** Ends this handle. Calling it twice is allowed. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.node = undefined;
    this.device.scopes.keep(this);
    this.gradient?.dispose();
    this.gradient = undefined;
    if (--this.#storage.handles === 0) this.device.memory.release(this.#storage.allocation);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #bytes(): Promise<ArrayBuffer> {
    const { device } = this;
    // Nobody has to wait for a rehearsed read, so it must not fail later.
    if (device.stream.silent) return device.stream.read(this.allocation, 0, this.sizeBytes);
    device.check();
    return device.settled(device.stream.read(this.allocation, 0, this.sizeBytes));
  }
}
