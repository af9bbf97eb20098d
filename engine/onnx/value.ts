import type { Device } from "../device/device.ts";
import { cast } from "../ops/cast.ts";
import { reshape, transpose } from "../ops/shape.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { asTyped, type ElementType, isFloat, type Numbers, type TypedArray } from "./elements.ts";

/** Elements of a constant that are kept on the host beside the device: scales, axes and the like are asked for there. */
const mostOnBoth = 1024;

/** Thrown where an operator needs numbers on the host that are on the device: they are read, and it is asked again. */
export class NotRead {
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }
}

/**
 * An array of a graph. It lies on the host, on the device, or both: integers and shapes mostly on the host, floats on the
 * device as f32. On the device it lies as ONNX has it, [N, C, …], or with the channels last, [N, …, C], as convolutions
 * take it; what is asked for and is not there is made once and kept.
 */
export class Value {
  readonly device: Device;
  readonly type: ElementType;
  /** As ONNX counts axes. */
  readonly shape: Shape;
  #numbers: Numbers | undefined;
  #kept = false;
  #tensor: Tensor | undefined;
  #channelsLast: Tensor | undefined;
  /** What the numbers are told from when somebody asks. */
  #source: { readonly tensor: Tensor; readonly told: (numbers: ArrayLike<number>) => Numbers } | undefined;

  private constructor(device: Device, type: ElementType, shape: Shape) {
    this.device = device;
    this.type = type;
    this.shape = shape;
  }

  static host(device: Device, type: ElementType, shape: Shape, numbers: Numbers | readonly number[]): Value {
    const value = new Value(device, type, shape);
    value.#numbers = Array.isArray(numbers) ? Float64Array.from(numbers) : (numbers as Numbers);
    return value;
  }

  /** A value of a tensor, which lives as long as its scope until {@link keep}. `shape` where it is not that of the tensor. */
  static of(type: ElementType, tensor: Tensor, shape: Shape = tensor.shape): Value {
    const value = new Value(tensor.device, type, shape);
    value.#tensor = sameShape(tensor.shape, shape) ? tensor : tensor.alias(shape);
    return value;
  }

  /** As {@link Value.of} for a tensor [N, …, C]. */
  static channelsLast(type: ElementType, tensor: Tensor): Value {
    const { shape } = tensor;
    const value = new Value(tensor.device, type, [shape[0]!, shape.at(-1)!, ...shape.slice(1, -1)]);
    value.#channelsLast = tensor;
    return value;
  }

  /** Whole numbers that the host tells from numbers on the device, when somebody asks for them. */
  static later(type: ElementType, shape: Shape, tensor: Tensor, told: (numbers: ArrayLike<number>) => Numbers): Value {
    const value = new Value(tensor.device, type, shape);
    value.#source = { tensor, told };
    return value;
  }

  /** Takes its tensors, and those that are made of it later, out of all scopes until `dispose`. */
  keep(): this {
    this.#kept = true;
    this.#tensor?.keep();
    this.#channelsLast?.keep();
    this.#source?.tensor.keep();
    return this;
  }

  /** A further form of this value, which ends with it; what is made on the way is let go. */
  #made(make: () => Tensor): Tensor {
    const tensor = this.device.scope(make);
    return this.#kept ? tensor.keep() : tensor;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  get isFloat(): boolean {
    return isFloat(this.type);
  }

  get onHost(): boolean {
    return this.#numbers !== undefined;
  }

  /** True when operators that only move elements take those on the host: floats that are on the device too stay there. */
  get movesOnHost(): boolean {
    return this.onHost && !(this.isFloat && this.onDevice);
  }

  get onDevice(): boolean {
    return this.#tensor !== undefined || this.#channelsLast !== undefined;
  }

  /** True when it lies on the device with the channels last, and not otherwise. */
  get liesChannelsLast(): boolean {
    return this.#channelsLast !== undefined && this.#tensor === undefined;
  }

  /** The elements in row-major order. @throws NotRead when they are on the device */
  numbers(): Numbers {
    if (!this.#numbers) throw new NotRead(this);
    return this.#numbers;
  }

  /** Brings the elements to the host. */
  async fetch(): Promise<Numbers> {
    if (this.#numbers) return this.#numbers;
    if (this.#source) {
      const { tensor, told } = this.#source;
      this.#numbers = told(await tensor.readElements());
      return this.#numbers;
    }
    const tensor = this.#plain();
    const elements = await tensor.readElements();
    this.#numbers = elements instanceof Float32Array ? elements : Float64Array.from(elements);
    return this.#numbers;
  }

  /** The elements as an array of the type's own: BigInt64Array for int64, Uint8Array for bool, f32 for float16. */
  async read(): Promise<TypedArray> {
    return asTyped(this.type, await this.fetch());
  }

  /** f32 on the device, axes as ONNX has them; whole numbers of the engine are u32, i32 or u8. It belongs to this value. */
  tensor(): Tensor {
    const { onDevice, type } = this;
    // Whole numbers that are asked for as f32.
    if (onDevice && !isFloat(type) && type !== "bool" && !this.#plain().isFloat) {
      const numbers = this.#made(() => Tensor.constant(this.device, Float32Array.from(this.numbers()), this.shape));
      this.#tensor?.dispose();
      this.#tensor = numbers;
    }
    return this.#plain();
  }

  #plain(): Tensor {
    this.#tensor ??= this.#made(() =>
      this.#channelsLast
        ? toChannelsFirst(this.#channelsLast)
        : Tensor.constant(this.device, Float32Array.from(this.numbers()), this.shape),
    );
    return this.#tensor;
  }

  /** The elements as whole numbers from 0, u32 on the device. The caller owns the tensor. */
  indices(): Tensor {
    if (this.#tensor && !this.#tensor.isFloat) return cast(this.#tensor, "u32");
    return Tensor.constant(this.device, Uint32Array.from(this.numbers()), this.shape);
  }

  /** f32 on the device as [N, …, C]. It belongs to this value. */
  channelsLast(): Tensor {
    this.#channelsLast ??= this.#made(() => toChannelsLast(this.tensor()));
    return this.#channelsLast;
  }

  /** Brings floats to the device once and for all; where they are many, those on the host are let go. */
  settle(): void {
    if (!this.isFloat) return;
    this.tensor();
    if (this.size > mostOnBoth) this.#numbers = undefined;
  }

  /** Another value of the same elements, with an end of its own. */
  share(type: ElementType = this.type): Value {
    const value = new Value(this.device, type, this.shape);
    value.#numbers = this.#numbers;
    value.#tensor = this.#tensor?.alias();
    value.#channelsLast = this.#channelsLast?.alias();
    value.#source = this.#source && { ...this.#source, tensor: this.#source.tensor.alias() };
    return value;
  }

  /** Another value of elements of its own, which are those of now. */
  copy(): Value {
    const value = new Value(this.device, this.type, this.shape);
    value.#numbers = this.#numbers;
    value.#tensor = this.#tensor && copied(this.#tensor);
    value.#channelsLast = this.#channelsLast && copied(this.#channelsLast);
    value.#source = this.#source && { ...this.#source, tensor: copied(this.#source.tensor) };
    return value;
  }

  dispose(): void {
    this.#tensor?.dispose();
    this.#channelsLast?.dispose();
    this.#source?.tensor.dispose();
    this.#tensor = this.#channelsLast = this.#source = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function copied(tensor: Tensor): Tensor {
  const copy = Tensor.like(tensor);
  tensor.device.stream.copy(tensor.allocation, 0, copy.allocation, 0, Math.ceil(tensor.sizeBytes / 4) * 4);
  return copy;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** [N, C, …] → [N, …, C]. No element moves where there is one channel or one place. */
export function toChannelsLast(x: Tensor): Tensor {
  const [images, channels, ...places] = x.shape as [number, number, ...number[]];
  const shape = [images, ...places, channels];
  if (channels === 1 || sizeOf(places) === 1) return reshape(x, shape);
  const rows = reshape(x, [images, channels, sizeOf(places)]);
  return reshape(transpose(rows), shape);
}

/** [N, …, C] → [N, C, …]. */
export function toChannelsFirst(x: Tensor): Tensor {
  const [images, ...rest] = x.shape as [number, ...number[]];
  const channels = rest.at(-1)!;
  const places = rest.slice(0, -1);
  const shape = [images, channels, ...places];
  if (channels === 1 || sizeOf(places) === 1) return reshape(x, shape);
  const rows = reshape(x, [images, sizeOf(places), channels]);
  return reshape(transpose(rows), shape);
}
