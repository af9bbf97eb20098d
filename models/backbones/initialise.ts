import { fileShape, type Layer, loadTensors } from "../../engine/nn/named.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { WeightsError, type WeightsFile } from "../../engine/weights/stored.ts";

/** Where a weights file left a network: which parts come from it, which are fresh. */
export interface InitReport {
  /** Sentences for the log. */
  readonly lines: readonly string[];
  /** Names of the parameters that are still as they were drawn. */
  readonly fresh: ReadonlySet<string>;
  /** Whether the head started, too, which otherwise is fresh whatever {@link fresh} says. */
  readonly headStarted?: boolean;
}

/** A layer that knows more than one form of its weights in a file. */
export interface Startable extends Layer {
  /** Whether the file has all that {@link start} needs. */
  holds(file: WeightsFile, prefix: string): boolean;
  /** @throws WeightsError when a tensor has another shape */
  start(file: WeightsFile, prefix: string): Promise<{ folded: boolean }>;
}

/** A layer under the name that goes before those of its tensors in weight files. */
export type NamedLayer = readonly [prefix: string, layer: Layer | Startable];

/** A stretch of a network at one depth. */
export interface Section {
  /** What the log calls it; sections of one title start from a file together or not at all. */
  readonly title: string;
  readonly layers: readonly NamedLayer[];
  /** Channels of its map, or length of its tokens. */
  readonly width: number;
  /** What the section makes of the map of the one before it; the first takes normalised pictures. */
  readonly forward: (x: Tensor, training: boolean) => Tensor;
}

/**
 * Starts a network from a weights file. Sections for which the file lacks a weight stay fresh as a whole, and so does each
 * layer of `head` for which it has none of the same shape.
 * @param kind what the network is called when nothing fits
 * @throws WeightsError when a tensor has another shape, or no section is complete in the file
 */
export async function initialise(
  file: WeightsFile,
  sections: readonly Section[],
  head: readonly NamedLayer[],
  kind: string,
): Promise<InitReport> {
  const groups = Map.groupBy(sections, ({ title }) => title);
  const taken: string[] = [];
  const left: string[] = [];
  const fresh = new Set<string>();
  let folded = false;
  for (const [title, group] of groups) {
    const layers = group.flatMap((section) => section.layers);
    const complete = layers.every((layer) => holds(file, layer));
    (complete ? taken : left).push(title);
    for (const layer of layers) {
      if (complete) folded = (await start(file, layer)) || folded;
      else addNames(fresh, layer);
    }
  }
  if (taken.length === 0) {
    const names = sections.flatMap(({ layers }) => layers.flatMap(([prefix, layer]) => layer.tensors(prefix)));
    const missing = names.find(({ name }) => !file.tensors.has(name))?.name;
    throw new WeightsError(`${file.path}: no part of ${kind} is complete in it; it has no "${missing}"`);
  }
  const what = left.length === 0 ? "the whole network starts" : `${taken.join(", ")} start`;
  const lines = [`${what} from ${file.path}${folded ? ", batch norm folded in and frozen" : ""}`];
  if (left.length > 0) lines.push(`${left.join(", ")} start fresh: the file lacks some of their weights`);
  for (const layer of head) {
    if (fits(file, layer)) await start(file, layer);
    else addNames(fresh, layer);
  }
  const freshHead = head.filter(([prefix, layer]) => layer.tensors(prefix).some(({ name }) => fresh.has(name)));
  if (freshHead.length > 0) {
    lines.push(`${freshHead.map(([prefix]) => prefix).join(", ")} start fresh: the file has none for as many classes`);
  }
  return { lines, fresh };
}

function holds(file: WeightsFile, [prefix, layer]: NamedLayer): boolean {
  if ("holds" in layer) return layer.holds(file, prefix);
  return layer.tensors(prefix).every(({ name }) => file.tensors.has(name));
}

/** Whether the file has every tensor of the layer in its shape. */
function fits(file: WeightsFile, [prefix, layer]: NamedLayer): boolean {
  return layer.tensors(prefix).every((named) => file.tensors.get(named.name)?.shape.join() === fileShape(named).join());
}

/** Returns whether batch norms were folded into what the file holds. */
async function start(file: WeightsFile, [prefix, layer]: NamedLayer): Promise<boolean> {
  if ("start" in layer) return (await layer.start(file, prefix)).folded;
  await loadTensors(file, layer.tensors(prefix));
  return false;
}

function addNames(names: Set<string>, [prefix, layer]: NamedLayer): void {
  for (const { name } of layer.tensors(prefix)) names.add(name);
}
