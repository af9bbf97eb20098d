import { any, type Checks, callback, expectList, expectOptions, object, shown } from "../arguments.ts";
import type { NamedTensor } from "../nn/named.ts";
import type { ParameterGroup } from "./optimiser.ts";

/** How {@link parameterGroups} sets rates and decay. */
export interface GroupOptions {
  /** Learning rate of parameters that start from given weights. */
  readonly rate: number;
  /** Weight decay of convolutions and matrices; 0 unless given. Vectors (biases, norms) have none. */
  readonly decay?: number;
  /** Parameters that learn at a rate of their own, such as a head without given weights. */
  readonly fresh?: { readonly rate: number; readonly names: ReadonlySet<string> };
  /** Rates that fall from the last layers to the first. */
  readonly layers?: {
    /** Factor from one depth to the one before it, above 0 and at most 1. */
    readonly decay: number;
    /** Depth of the layer that owns a tensor, from its name: 0 next to the input, the largest in the head. */
    readonly depth: (name: string) => number;
  };
}

const checks: Checks<GroupOptions> = { rate: any, decay: any, fresh: object, layers: object };
const freshChecks: Checks<NonNullable<GroupOptions["fresh"]>> = { rate: any, names: object };
const layerChecks: Checks<NonNullable<GroupOptions["layers"]>> = { decay: any, depth: callback };

/**
 * Parameters among `tensors` in groups of equal rate and weight decay, for the optimiser. With `layers` the rate at depth d
 * is rate · decay^(D − d), D the largest depth among the parameters, as in timm's `param_groups_layer_decay`
 * (Bao et al. 2022, BEiT, appendix; Clark et al. 2020). Statistics are left out.
 * @throws RangeError when a rate, a decay or a depth is out of range, with its value
 */
export function parameterGroups(tensors: readonly NamedTensor[], options: GroupOptions): ParameterGroup[] {
  expectOptions("parameterGroups", options, checks);
  expectList("parameterGroups", "the tensors", tensors, object);
  const { rate, decay = 0, fresh, layers } = options;
  if (fresh) expectOptions("parameterGroups: fresh", fresh, freshChecks);
  if (layers) expectOptions("parameterGroups: layers", layers, layerChecks);
  expectAtLeastZero("rate", rate);
  if (fresh) expectAtLeastZero("fresh rate", fresh.rate);
  expectAtLeastZero("weight decay", decay);
  if (layers && !(layers.decay > 0 && layers.decay <= 1))
    throw new RangeError(`layer decay is above 0 and at most 1, found ${layers.decay}`);
  const parameters = tensors.filter(({ role }) => role === "parameter");
  const depths = layers ? parameters.map(({ name }) => expectDepth(name, layers.depth(name))) : [];
  const deepest = Math.max(0, ...depths);
  const groups = new Map<string, { parameters: NamedTensor[]; rate: number; decay: number }>();
  for (const [i, parameter] of parameters.entries()) {
    const factor = layers ? layers.decay ** (deepest - depths[i]!) : 1;
    const own = {
      rate: (fresh?.names.has(parameter.name) ? fresh.rate : rate) * factor,
      decay: parameter.kind === "vector" ? 0 : decay,
    };
    const key = `${own.rate} ${own.decay}`;
    const group = groups.get(key);
    if (group) group.parameters.push(parameter);
    else groups.set(key, { ...own, parameters: [parameter] });
  }
  return [...groups.values()];
}

function expectAtLeastZero(what: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value))) throw new RangeError(`a ${what} is at least 0, found ${shown(value)}`);
}

function expectDepth(name: string, depth: number): number {
  if (!Number.isInteger(depth) || depth < 0)
    throw new RangeError(`the depth of "${name}" is a whole number of at least 0, found ${depth}`);
  return depth;
}
