import { withoutGradients } from "../../engine/autograd.ts";
import { cast } from "../../engine/ops/cast.ts";
import { concat, slice } from "../../engine/ops/join.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { type Shape, sizeOf, type Tensor } from "../../engine/tensor.ts";
import type { Backbone } from "../backbones/index.ts";
import { OptionError } from "../options.ts";
import type { Pass } from "./body.ts";
import type { ModelOptions } from "./options.ts";

/** What the sections of a backbone up to some depth leave: pooled features on the way, and the map that goes on. */
interface Passed {
  readonly pooled: readonly Tensor[];
  /** Absent after the last section. */
  readonly map?: Tensor;
}

/** Of which maps of a backbone a trunk takes features, and how. */
export interface Taps {
  /** Sections after which a map is taken, ascending. */
  readonly depths: readonly number[];
  /** The map after `depth` sections → features [N, length]. */
  readonly pool: (map: Tensor, depth: number) => Tensor;
  readonly lengthOf: (depth: number) => number;
}

/**
 * A backbone up to the deepest map that is pooled, cut in two by the option `frozen`: the prefix, whose output for a picture
 * never changes and can be stored, and the rest, which learns.
 */
export class Trunk {
  readonly backbone: Backbone;
  readonly #options: Pick<ModelOptions, "frozen">;
  readonly #taps: Taps;

  /** @throws OptionError when the options name depths that the backbone does not have */
  constructor(
    backbone: Backbone,
    options: Pick<ModelOptions, "backbone" | "featureDepths" | "pooling" | "frozen">,
    taps?: Taps,
  ) {
    const { layers } = backbone;
    const { featureDepths, frozen, pooling } = options;
    const beyond = featureDepths.find((depth) => depth > layers);
    if (beyond !== undefined)
      throw new OptionError(`\`featureDepths\` ${featureDepths}: ${options.backbone} has the depths 1 to ${layers}`);
    this.#taps = taps ?? {
      depths: featureDepths.length > 0 ? featureDepths : [layers],
      pool: (map) => backbone.pool(map, pooling),
      lengthOf: (depth) => backbone.lengthOf(depth, pooling),
    };
    const deepest = this.#depths.at(-1)!;
    if (frozen > deepest)
      throw new OptionError(`\`frozen\` ${frozen}: only ${deepest} sections of ${options.backbone} are used`);
    backbone.cut(deepest);
    this.backbone = backbone;
    this.#options = options;
  }

  /** Length of the feature: all pooled maps, one behind the other. */
  get features(): number {
    return this.#depths.reduce((sum, depth) => sum + this.#taps.lengthOf(depth), 0);
  }

  get #depths(): readonly number[] {
    return this.#taps.depths;
  }

  /** Normalised pictures [N, H, W, 3] → features [N, features]. */
  forward(x: Tensor, pass: Pass): Tensor {
    const { pooled, map } = withoutGradients(() => this.#pass(x, 0, this.#options.frozen, false));
    return joinRows([...pooled, ...this.#rest(map, pass)]);
  }

  /** Normalised pictures [N, H, W, 3] → what the frozen sections make of them, in one row each: [N, L] with {@link rowLength}. */
  prefix(x: Tensor): Tensor {
    const { pooled, map } = withoutGradients(() => this.#pass(x, 0, this.#options.frozen, false));
    return joinRows([...pooled, ...(map ? [reshape(map, [map.shape[0]!, map.size / map.shape[0]!])] : [])]);
  }

  /**
   * Rows of {@link prefix} → features [N, features].
   * @param mapShape of the map of one picture after the frozen sections, as {@link mapShape} gives it
   */
  fromRows(rows: Tensor, mapShape: Shape | undefined, pass: Pass): Tensor {
    const [images, length] = rows.shape as [number, number];
    if (!mapShape) return rows;
    const size = sizeOf(mapShape);
    const rest = this.#rest(reshape(columns(rows, length - size, length), [images, ...mapShape]), pass);
    return joinRows(length > size ? [columns(rows, 0, length - size), ...rest] : rest);
  }

  /** Shape of the map after the frozen sections, without the first extent; none where nothing follows them. */
  mapShape(x: Tensor): Shape | undefined {
    return withoutGradients(() => this.#pass(x, 0, this.#options.frozen, false)).map?.shape.slice(1);
  }

  #rest(map: Tensor | undefined, pass: Pass): readonly Tensor[] {
    if (!map) return [];
    return throughBackbone(pass, (training) => {
      const { frozen } = this.#options;
      return this.#pass(cast(map, pass.precision), frozen, this.#depths.at(-1)!, training).pooled;
    });
  }

  /** Takes the map after `from` sections through those up to `until`. */
  #pass(x: Tensor, from: number, until: number, training: boolean): Passed {
    const { backbone } = this;
    const pooled: Tensor[] = [];
    let map = x;
    let at = from;
    const stops = this.#depths.filter((depth) => depth > from && depth <= until);
    for (const depth of stops) {
      map = backbone.through(map, training, at, depth);
      at = depth;
      pooled.push(this.#taps.pool(map, depth));
    }
    if (at < until) map = backbone.through(map, training, at, until);
    return { pooled, ...(until < this.#depths.at(-1)! && { map }) };
  }
}

/** Runs what of a backbone may learn, as the pass has it. */
export function throughBackbone<T>({ training, fixedBackbone, drifting }: Pass, run: (training: boolean) => T): T {
  return fixedBackbone ? withoutGradients(() => run(training && drifting)) : run(training);
}

/** Rows one behind the other, f32. */
export function joinRows(parts: readonly Tensor[]): Tensor {
  const rows = parts.map((part) => cast(part, "f32"));
  return rows.length === 1 ? rows[0]! : concat(rows, 1);
}

export function columns(rows: Tensor, from: number, until: number): Tensor {
  const [images, length] = rows.shape as [number, number];
  return from === 0 && until === length ? rows : slice(rows, [0, from], [images, until]);
}
