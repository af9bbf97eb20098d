import { sizeOf, type Tensor } from "../tensor.ts";
import { OnnxError } from "./errors.ts";
import type { GraphWriter } from "./write.ts";

/** Where a tensor is found in the graph: axes as the engine has them, or a map [N, H, W, C] as ONNX has it, [N, C, H, W]. */
interface Places {
  plain?: string;
  maps?: string;
}

/** A graph that operations of the engine are written into: which value each tensor is, in which order of axes. */
export class ExportGraph {
  readonly writer: GraphWriter;
  readonly #constants: ReadonlyMap<Tensor, ArrayLike<number>>;
  readonly #places = new Map<Tensor, Places>();

  constructor(writer: GraphWriter, constants: ReadonlyMap<Tensor, ArrayLike<number>>) {
    this.writer = writer;
    this.#constants = constants;
  }

  /** Says which value a tensor is, as the engine has its axes. */
  set(tensor: Tensor, plain: string): void {
    this.#places.set(tensor, { plain });
  }

  /** Says which value the map of a tensor [N, H, W, C] is, as ONNX has its axes. */
  setMaps(tensor: Tensor, maps: string): void {
    this.#places.set(tensor, { maps });
  }

  isConstant(tensor: Tensor): boolean {
    return this.#constants.has(tensor);
  }

  /** True when a tensor is there as ONNX has maps. */
  liesAsMaps(tensor: Tensor): boolean {
    const places = this.#places.get(tensor);
    return places?.maps !== undefined && places.plain === undefined;
  }

  /** The numbers of a constant. @throws OnnxError when it is none */
  numbers(tensor: Tensor): ArrayLike<number> {
    const numbers = this.#constants.get(tensor);
    if (!numbers) throw new OnnxError(`a tensor [${tensor.shape}] that is computed stands where ONNX needs a constant`);
    return numbers;
  }

  /** A constant as a value of the graph, once; named as the tensor is. */
  #constant(tensor: Tensor): Places {
    const numbers = this.numbers(tensor);
    return { plain: this.writer.constant(tensor.name ?? "constant", "float32", tensor.shape, numbers) };
  }

  #of(tensor: Tensor): Places {
    let places = this.#places.get(tensor);
    if (!places) {
      places = this.#constant(tensor);
      this.#places.set(tensor, places);
    }
    return places;
  }

  /** The value of a tensor with its axes as the engine has them. */
  plain(tensor: Tensor): string {
    const places = this.#of(tensor);
    places.plain ??= this.writer.node("Transpose", [places.maps!], { perm: [0, 2, 3, 1] });
    return places.plain;
  }

  /** The value of a tensor [N, H, W, C] as [N, C, H, W]. */
  maps(tensor: Tensor): string {
    const places = this.#of(tensor);
    places.maps ??= this.writer.node("Transpose", [places.plain!], { perm: [0, 3, 1, 2] });
    return places.maps;
  }

  /** The values of operands that are combined element by element, all in one order of axes. */
  aligned(tensors: readonly Tensor[]): { values: string[]; asMaps: boolean } {
    const asMaps =
      tensors.some((tensor) => this.liesAsMaps(tensor)) && tensors.every((tensor) => this.#fitsMaps(tensor));
    return { values: tensors.map((tensor) => (asMaps ? this.#besideMaps(tensor) : this.plain(tensor))), asMaps };
  }

  #fitsMaps(tensor: Tensor): boolean {
    return tensor.rank === 4 || tensor.size === 1 || (this.isConstant(tensor) && tensor.size === tensor.shape.at(-1));
  }

  #besideMaps(tensor: Tensor): string {
    if (tensor.rank === 4) return this.maps(tensor);
    if (tensor.size === 1) return this.plain(tensor);
    return this.perChannel(tensor);
  }

  /** A constant for each channel, [C, 1, 1]. */
  perChannel(tensor: Tensor): string {
    return this.writer.constant(tensor.name ?? "constant", "float32", [tensor.size, 1, 1], this.numbers(tensor));
  }

  /** Says which value a result is that was made of {@link aligned} operands. */
  place(tensor: Tensor, value: string, asMaps: boolean): void {
    if (asMaps) this.setMaps(tensor, value);
    else this.set(tensor, value);
  }

  /** A constant with its axes in another order. */
  turned(tensor: Tensor, order: readonly number[]): string {
    const { shape } = tensor;
    const numbers = this.numbers(tensor);
    const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
    const turnedShape = order.map((axis) => shape[axis]!);
    const turned = new Float32Array(tensor.size);
    for (let i = 0; i < turned.length; i++) {
      let [rest, from] = [i, 0];
      for (let axis = order.length - 1; axis >= 0; axis--) {
        from += (rest % turnedShape[axis]!) * strides[order[axis]!]!;
        rest = Math.floor(rest / turnedShape[axis]!);
      }
      turned[i] = numbers[from]!;
    }
    return this.writer.constant(tensor.name ?? "weight", "float32", turnedShape, turned);
  }
}
