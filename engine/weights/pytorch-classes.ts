import { type KnownFunction, kindOf, type PickleContext, type PickleRules, Tuple, unread } from "./pickle-values.ts";
import type { StoredDtype } from "./stored.ts";

/** A run of elements in a PyTorch archive; tensors are windows of it. */
export interface Storage {
  readonly key: string;
  readonly dtype: StoredDtype;
  /** Number of elements. */
  readonly size: number;
}

/** A tensor as PyTorch pickles it: element (i₀, i₁, …) is element offset + Σ iₖ·strideₖ of the storage. */
export class TensorWindow {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  /** Product of the shape. */
  readonly size: number;

  constructor(storage: Storage, offset: number, shape: readonly number[], stride: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.stride = stride;
    // The product of other sizes may be infinite, and infinity times 0 is no number.
    this.size = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  }

  /** One past the last element of the storage that is used. */
  get end(): number {
    if (this.size === 0) return this.offset;
    return this.shape.reduce((last, size, axis) => last + (size - 1) * this.stride[axis]!, this.offset) + 1;
  }

  /** Whether the elements lie in row-major order without gaps. */
  get contiguous(): boolean {
    let step = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.stride[axis] !== step) return false;
      step *= this.shape[axis]!;
    }
    return true;
  }
}

/** PyTorch's own bound on the number of axes. */
const MAX_AXES = 64;

class StorageType {
  readonly dtype: StoredDtype;
  constructor(dtype: StoredDtype) {
    this.dtype = dtype;
  }
}

const storageTypes: Record<string, StoredDtype> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const rebuildTensor: KnownFunction = ([storage, offset, shape, stride], context) => {
  if (!isStorage(storage)) return context.fail(`a tensor over ${kindOf(storage)}, expected a storage`);
  if (!isSize(offset)) return context.fail(`a tensor from ${kindOf(offset)} on, expected a number of elements`);
  const sizes = sizesOf(shape, "shape", context);
  const steps = sizesOf(stride, "stride", context);
  if (sizes.length !== steps.length) context.fail(`a tensor of shape [${sizes}] with strides [${steps}]`);
  const tensor = new TensorWindow(storage, offset, sizes, steps);
  const what = `the tensor [${sizes}] with strides [${steps}] from element ${offset} on`;
  if (tensor.end > storage.size) {
    context.fail(`${what} reaches beyond its storage "${storage.key}", which has ${storage.size} elements`);
  }
  if (tensor.size > storage.size) {
    context.fail(
      `${what} repeats elements of its storage, which has ${storage.size}; expanded tensors are not read: save ` +
        "`tensor.contiguous()`",
    );
  }
  return tensor;
};

const rebuildParameter: KnownFunction = ([tensor], context) =>
  tensor instanceof TensorWindow ? tensor : context.fail(`a parameter of ${kindOf(tensor)}, expected a tensor`);

/** Without arguments from Python 3, with a list of pairs from Python 2. */
const orderedDict: KnownFunction = (args, context) => {
  const [pairs = []] = args;
  if (!Array.isArray(pairs) || args.length > 1) return context.fail(`OrderedDict of ${kindOf(pairs)}, expected pairs`);
  context.spend(pairs.length);
  return new Map(
    pairs.map((pair): [unknown, unknown] => {
      const items = pair instanceof Tuple ? pair.items : pair;
      if (!Array.isArray(items) || items.length !== 2)
        return context.fail(`OrderedDict with ${kindOf(pair)} as a pair`);
      return [items[0], items[1]];
    }),
  );
};

const size: KnownFunction = ([sizes], context) =>
  sizes instanceof Tuple ? sizes : context.fail(`torch.Size of ${kindOf(sizes)}, expected a tuple`);

/** Parts of training checkpoints beside the weights. */
const ignored: KnownFunction = () => unread;

const classes: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", rebuildParameter],
  ["collections.OrderedDict", orderedDict],
  ["torch.Size", size],
  ["torch.device", ignored],
  ["collections.Counter", ignored],
  ["numpy.core.multiarray.scalar", ignored],
  ["numpy._core.multiarray.scalar", ignored],
  ["numpy.dtype", ignored],
  ["_codecs.encode", ignored],
  ...Object.entries(storageTypes).map(([name, dtype]): [string, unknown] => [`torch.${name}`, new StorageType(dtype)]),
]);

/**
 * How the pickle of a PyTorch archive is read: tensors become {@link TensorWindow}s.
 * @param storages filled with every storage that the pickle names
 */
export function pytorchRules(source: string, storages: Map<string, Storage>): PickleRules {
  const persistent: KnownFunction = (id, context) => {
    const [kind, type, key, location, count, view = null] = id;
    if (kind !== "storage") context.fail(`a persistent ${kindOf(kind)}, expected a storage`);
    if (!(type instanceof StorageType)) return context.fail(`a storage of ${kindOf(type)}, expected a storage class`);
    if (typeof key !== "string") return context.fail(`a storage named by ${kindOf(key)}, expected a text`);
    if (typeof location !== "string") context.fail(`a storage on ${kindOf(location)}, expected a text`);
    if (!isSize(count)) return context.fail(`a storage of ${kindOf(count)}, expected a number of elements`);
    if (view !== null) context.fail(`storage "${key}" is a window of another; save it anew with a later PyTorch`);
    const known = storages.get(key);
    if (known && (known.dtype !== type.dtype || known.size !== count)) {
      context.fail(`storage "${key}" is ${type.dtype} [${count}], before it was ${known.dtype} [${known.size}]`);
    }
    const storage = known ?? { key, dtype: type.dtype, size: count };
    storages.set(key, storage);
    return storage;
  };
  return { source, classes, persistent };
}

function isStorage(value: unknown): value is Storage {
  return typeof value === "object" && value !== null && "key" in value && "dtype" in value;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function sizesOf(value: unknown, word: string, context: PickleContext): readonly number[] {
  if (!(value instanceof Tuple) || value.items.length > MAX_AXES || !value.items.every(isSize)) {
    return context.fail(`a tensor with ${kindOf(value)} as ${word}, expected at most ${MAX_AXES} sizes`);
  }
  return value.items as readonly number[];
}
