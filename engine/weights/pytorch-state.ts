import { brief, kindOf } from "./pickle-values.ts";
import { TensorWindow } from "./pytorch-classes.ts";

/** Where training scripts put the state dict of the model, the likeliest first. */
const WRAPPERS = ["state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema", "ema"];
/** What DataParallel and torch.compile put before every name. */
const PREFIXES = ["module.", "_orig_mod."];
const MAX_DEPTH = 2;

/** The named tensors of a file, with what was chosen and left out in sentences. */
export interface State {
  readonly tensors: ReadonlyMap<string, TensorWindow>;
  readonly notes: readonly string[];
}

/**
 * The state dict in what an archive holds: the dict at the top, or one under the usual names of training checkpoints.
 * @returns nothing when there is none
 */
export function findState(value: unknown, path: string): State | undefined {
  const found = findDict(value, MAX_DEPTH);
  if (!found) return undefined;
  const notes: string[] = [];
  if (found.keys.length > 0) {
    const others =
      found.others.length > 0 ? `, not those under ${found.others.map((key) => `"${key}"`).join(", ")}` : "";
    notes.push(`${path}: the tensors under ${found.keys.map((key) => `"${key}"`).join(" → ")} are used${others}`);
  }
  let named = [...found.dict].filter(
    (entry): entry is [string, TensorWindow] => typeof entry[0] === "string" && entry[1] instanceof TensorWindow,
  );
  const left = found.dict.size - named.length;
  if (left > 0) notes.push(`${path}: ${left} of ${found.dict.size} entries are left out: they are no named tensors`);
  const removed: string[] = [];
  for (let prefix = commonPrefix(named); prefix; prefix = commonPrefix(named)) {
    const { length } = prefix;
    named = named.map(([name, tensor]) => [name.slice(length), tensor]);
    removed.push(prefix);
  }
  if (removed.length > 0) notes.push(`${path}: "${removed.join("")}" is removed from all names`);
  return { tensors: new Map(named), notes };
}

interface Found {
  readonly dict: ReadonlyMap<unknown, unknown>;
  /** The way to it from the top. */
  readonly keys: readonly string[];
  /** Further wrappers with tensors beside the one that was taken. */
  readonly others: readonly string[];
}

function findDict(value: unknown, depth: number): Found | undefined {
  if (!(value instanceof Map)) return undefined;
  const inner = WRAPPERS.flatMap((key) => {
    const found = depth > 0 ? findDict(value.get(key), depth - 1) : undefined;
    return found ? [{ key, found }] : [];
  });
  const [first, ...rest] = inner;
  if (first) {
    const { found, key } = first;
    return {
      dict: found.dict,
      keys: [key, ...found.keys],
      others: [...rest.map((other) => other.key), ...found.others],
    };
  }
  for (const [key, item] of value) {
    if (typeof key === "string" && item instanceof TensorWindow) return { dict: value, keys: [], others: [] };
  }
  return undefined;
}

function commonPrefix(named: readonly [string, TensorWindow][]): string | undefined {
  return PREFIXES.find((prefix) => named.every(([name]) => name.startsWith(prefix) && name.length > prefix.length));
}

/** What stands at the top of a file without a state dict, for the error. */
export function describe(value: unknown): string {
  if (!(value instanceof Map)) return value instanceof TensorWindow ? "a single tensor" : kindOf(value);
  const keys = [...value.keys()].slice(0, 8).map((key) => (typeof key === "string" ? `"${brief(key)}"` : kindOf(key)));
  return `${kindOf(value)} with ${keys.join(", ")}${value.size > 8 ? ", …" : ""}`;
}
