import { concat } from "../../engine/ops/join.ts";
import { normalise } from "../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { WeightsError, type WeightsFile } from "../../engine/weights/stored.ts";
import { Backbone, type InitReport, type Normalisation, type Pooling } from "../backbones/index.ts";
import type { Section } from "../backbones/initialise.ts";

/** A backbone among others, and how it sees a picture. */
export interface Beside {
  /** Goes before the names of its tensors. */
  readonly role: string;
  readonly backbone: Backbone;
  /** Sections after which its map is pooled, ascending. */
  readonly depths: readonly number[];
  /** A picture in [0, 1] → what it sees of it, one after the other. */
  readonly looks: (x: Tensor) => readonly Tensor[];
  /** How many these are. */
  readonly lookCount: number;
  /** Whether what it sees is normalised as its own training had it. */
  readonly normalised: boolean;
  /** What stands before its names in a file that says whose they are. */
  readonly prefixes: readonly string[];
}

/** What stands before names in files that do not say whose they are: those of Re-IQA's authors, and torchvision's and timm's. */
const sharedPrefixes = ["encoder.", "module.encoder.", ""] as const;

/**
 * Backbones side by side as one section, which takes pictures in [0, 1]. The feature is theirs in order, each at each of its looks, each look at each
 * of its depths.
 */
export class SideBySide extends Backbone {
  override readonly normalisation: Normalisation = { mean: [0, 0, 0], deviation: [1, 1, 1] };
  protected readonly kind = "backbones side by side";
  protected sections: readonly Section[];
  readonly #all: readonly Beside[];
  readonly #width: number;
  readonly #fewer: string;
  readonly #otherwise: (found: readonly string[]) => string;

  /** @param advice how to do with fewer sections, and with those backbones alone that have weights */
  constructor(
    all: readonly Beside[],
    pooling: Pooling,
    advice: { readonly fewer: string; readonly otherwise?: (found: readonly string[]) => string },
  ) {
    super();
    this.#all = all;
    this.#fewer = advice.fewer;
    this.#otherwise = advice.otherwise ?? (() => "");
    const lengthOf = ({ backbone, depths, lookCount }: Beside) =>
      lookCount * depths.reduce((sum, depth) => sum + backbone.lengthOf(depth, pooling), 0);
    this.#width = all.reduce((sum, each) => sum + lengthOf(each), 0);
    for (const { backbone, depths } of all) backbone.cut(depths.at(-1)!);
    const features = (x: Tensor, training: boolean) => {
      const parts = all.flatMap((each) => each.looks(x).flatMap((look) => pooled(each, look, pooling, training)));
      return parts.length > 1 ? concat(parts, 1) : parts[0]!;
    };
    this.sections = [
      {
        title: "backbones",
        layers: all.flatMap(({ role, backbone }) =>
          backbone.namedLayers.map(([prefix, layer]) => [prefix ? `${role}.${prefix}` : role, layer] as const),
        ),
        width: this.#width,
        forward: features,
      },
    ];
  }

  override pool(features: Tensor): Tensor {
    return features;
  }

  override lengthOf(): number {
    return this.#width;
  }

  override start(file: WeightsFile): Promise<InitReport> {
    return this.startAll([file], false);
  }

  /**
   * Starts each backbone from the file that names it; those that no file names take the others in their order, each the first that fits.
   * @param needed whether a backbone without weights, or without some, is an error
   * @throws WeightsError as {@link Backbone.start}, for a file that has none of them, and for one too many
   */
  async startAll(files: readonly WeightsFile[], needed: boolean): Promise<InitReport> {
    const from = this.#assigned(files);
    const missing = this.#all.flatMap(({ role }) => (from.has(role) ? [] : [role]));
    if (needed && missing.length > 0) {
      const given = files.map(({ path }) => path).join(", ");
      throw new WeightsError(
        `${given}: no weights for the ${missing.join(" and the ")} encoder, which \`frozen\` would keep as it was drawn; give \`init\` twice, the ${this.#all[0]!.role} encoder first${this.#otherwise([...from.keys()])}`,
      );
    }
    const lines: string[] = [];
    const fresh = new Set<string>();
    for (const { role, backbone } of this.#all) {
      const file = from.get(role);
      const report = file
        ? await backbone.start(file)
        : { lines: ["starts fresh"], fresh: backbone.tensors("").map(({ name }) => name) };
      const own = report.lines.map((line) => `${role} encoder: ${line}`);
      if (needed && [...report.fresh].length > 0)
        throw new WeightsError(
          `${own.join("; ")}; \`frozen\` would keep those as they were drawn: give a file that has all, or ${this.#fewer}`,
        );
      lines.push(...own);
      for (const name of report.fresh) fresh.add(`${role}.${name}`);
    }
    return { lines, fresh };
  }

  #assigned(files: readonly WeightsFile[]): ReadonlyMap<string, WeightsFile> {
    const from = new Map<string, WeightsFile>();
    const give = (role: string, file: WeightsFile) => {
      const before = from.get(role);
      if (before)
        throw new WeightsError(`${before.path} and ${file.path} both hold the ${role} encoder; give one of them`);
      from.set(role, file);
    };
    const unnamed: WeightsFile[] = [];
    for (const file of files) {
      const named = this.#all.flatMap(({ role, prefixes, backbone }) => {
        const own = within(file, prefixes, backbone);
        return own ? [[role, own] as const] : [];
      });
      for (const [role, own] of named) give(role, own);
      if (named.length === 0) unnamed.push(file);
    }
    for (const file of unnamed) {
      const left = this.#all.filter(({ role }) => !from.has(role));
      if (left.length === 0)
        throw new WeightsError(`${file.path}: every encoder starts from another file; leave it out`);
      const fitting = left.flatMap(({ role, backbone }) => {
        const own = within(file, sharedPrefixes, backbone);
        return own ? [[role, own] as const] : [];
      });
      // Where nothing fits, the encoder says what it looked for.
      give(...(fitting[0] ?? ([left[0]!.role, file] as const)));
    }
    return from;
  }
}

function pooled({ backbone, depths, normalised }: Beside, look: Tensor, pooling: Pooling, training: boolean): Tensor[] {
  const { mean, deviation } = backbone.normalisation;
  let map = normalised ? normalise(look, mean, deviation) : look;
  let at = 0;
  return depths.map((depth) => {
    map = backbone.through(map, training, at, depth);
    at = depth;
    return backbone.pool(map, pooling);
  });
}

/** A file with the names that an encoder has, where it has some of them behind one of the prefixes. */
function within(file: WeightsFile, prefixes: readonly string[], encoder: Backbone): WeightsFile | undefined {
  const names = encoder.tensors("").map(({ name }) => name);
  const prefix = prefixes.find((each) => names.some((name) => file.tensors.has(each + name)));
  if (prefix === undefined) return undefined;
  const own = [...file.tensors].filter(([name]) => name.startsWith(prefix));
  return {
    path: file.path,
    notes: file.notes,
    tensors: new Map(own.map(([name, info]) => [name.slice(prefix.length), info])),
    read: (name) => file.read(prefix + name),
    close: () => file.close(),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}
