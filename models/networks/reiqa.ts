import { concat } from "../../engine/ops/join.ts";
import { resizeBicubic } from "../../engine/ops/pictures/bicubic.ts";
import { normalise } from "../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { WeightsError, type WeightsFile } from "../../engine/weights/stored.ts";
import { Backbone, createBackbone, type InitReport, type Normalisation, type Pooling } from "../backbones/index.ts";
import type { Section } from "../backbones/initialise.ts";
import { OptionError } from "../options.ts";
import type { BodyKind, BodyMaking } from "./body.ts";
import { StandardBody, standard } from "./standard.ts";

type Role = "content" | "quality";

/** Encoders by the word of the option `encoders`. */
const roles: Readonly<Record<"both" | Role, readonly Role[]>> = {
  both: ["content", "quality"],
  content: ["content"],
  quality: ["quality"],
};

/** What stands before an encoder's names in a file that says whose they are: our own, and MoCo's, whose encoder tells content. */
const ownPrefixes: Readonly<Record<Role, readonly string[]>> = {
  content: ["content.", "encoder_q.", "module.encoder_q."],
  quality: ["quality."],
};
/** What stands before names in files that do not: those of Re-IQA's authors, which are alike for both encoders, and torchvision's. */
const sharedPrefixes = ["encoder.", "module.encoder.", ""] as const;

/**
 * The encoders of Re-IQA (Saha, Mishra & Bovik 2023) as one section, which takes pictures in [0, 1]. Each sees the picture and the same at half
 * its height and width, rounded down, by Pillow's bicubic filter, which widens as it shrinks; unlike Pillow, without rounding to bytes. The
 * feature is content whole, content half, quality whole, quality half. Only the content encoder has its input normalised.
 */
export class Encoders extends Backbone {
  override readonly normalisation: Normalisation = { mean: [0, 0, 0], deviation: [1, 1, 1] };
  protected readonly kind = "Re-IQA's encoders";
  protected sections: readonly Section[];
  readonly #encoders: ReadonlyMap<Role, Backbone>;
  readonly #width: number;

  /** @param halved whether pictures are seen at half their size, too */
  constructor(encoders: ReadonlyMap<Role, Backbone>, pooling: Pooling, halved = true) {
    super();
    this.#encoders = encoders;
    const all = [...encoders];
    this.#width = all.reduce(
      (sum, [, encoder]) => sum + (halved ? 2 : 1) * encoder.lengthOf(encoder.layers, pooling),
      0,
    );
    const features = (x: Tensor, training: boolean) => {
      const [, height, width] = x.shape as [number, number, number];
      const half = () => resizeBicubic(x, { height: height >> 1, width: width >> 1, antialias: true });
      const sizes = halved ? [x, half()] : [x];
      const parts = all.flatMap(([role, encoder]) => {
        const { mean, deviation } = encoder.normalisation;
        const seen = (picture: Tensor) => (role === "content" ? normalise(picture, mean, deviation) : picture);
        return sizes.map((picture) => encoder.pool(encoder.through(seen(picture), training), pooling));
      });
      return parts.length > 1 ? concat(parts, 1) : parts[0]!;
    };
    this.sections = [
      {
        title: "the encoders",
        layers: all.flatMap(([role, encoder]) =>
          encoder.namedLayers.map(([prefix, layer]) => [prefix ? `${role}.${prefix}` : role, layer] as const),
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
   * Starts each encoder from the file that names it; those that no file names, content first, take the others in their order.
   * @param needed whether an encoder without weights, or without some, is an error
   * @throws WeightsError as {@link Backbone.start}, for a file that has no encoder, and for one too many
   */
  async startAll(files: readonly WeightsFile[], needed: boolean): Promise<InitReport> {
    const from = this.#assigned(files);
    const missing = [...this.#encoders.keys()].filter((role) => !from.has(role));
    if (needed && missing.length > 0) {
      const given = files.map(({ path }) => path).join(", ");
      throw new WeightsError(
        `${given}: no weights for the ${missing.join(" and the ")} encoder, which \`frozen\` would keep as it was drawn; give \`init\` twice, the content encoder first, or \`encoders\` ${[...from.keys()].join()}`,
      );
    }
    const lines: string[] = [];
    const fresh = new Set<string>();
    for (const [role, encoder] of this.#encoders) {
      const file = from.get(role);
      const report = file
        ? await encoder.start(file)
        : { lines: ["starts fresh"], fresh: encoder.tensors("").map(({ name }) => name) };
      const own = report.lines.map((line) => `${role} encoder: ${line}`);
      if (needed && [...report.fresh].length > 0)
        throw new WeightsError(
          `${own.join("; ")}; \`frozen\` would keep those as they were drawn: give a file that has all, or fewer \`stages\``,
        );
      lines.push(...own);
      for (const name of report.fresh) fresh.add(`${role}.${name}`);
    }
    return { lines, fresh };
  }

  #assigned(files: readonly WeightsFile[]): ReadonlyMap<Role, WeightsFile> {
    const from = new Map<Role, WeightsFile>();
    const give = (role: Role, file: WeightsFile) => {
      const before = from.get(role);
      if (before)
        throw new WeightsError(`${before.path} and ${file.path} both hold the ${role} encoder; give one of them`);
      from.set(role, file);
    };
    const unnamed: WeightsFile[] = [];
    for (const file of files) {
      const named = [...this.#encoders].flatMap(([role, encoder]) => {
        const own = within(file, ownPrefixes[role], encoder);
        return own ? [[role, own] as const] : [];
      });
      for (const [role, own] of named) give(role, own);
      if (named.length === 0) unnamed.push(file);
    }
    for (const file of unnamed) {
      const [role, encoder] = [...this.#encoders].find(([each]) => !from.has(each)) ?? [];
      if (!role) throw new WeightsError(`${file.path}: every encoder starts from another file; leave it out`);
      // Where nothing fits, the encoder says what it looked for.
      give(role, within(file, sharedPrefixes, encoder!) ?? file);
    }
    return from;
  }
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

/** Encoders of a network, and what the standard network makes of their feature. */
class ReIqaBody extends StandardBody {
  readonly #encoders: Encoders;
  readonly #frozen: boolean;

  /** @param alone whether it is the quality encoder as it is trained: at one size */
  constructor(making: BodyMaking, alone: boolean) {
    const { backbone: first, device, options, random } = making;
    const { backbone, stages, featureDepths, encoders, pooling, frozen } = options;
    if (featureDepths.length > 0)
      throw new OptionError(
        `\`featureDepths\` ${featureDepths}: the network ${options.network} pools the last map alone`,
      );
    const made = roles[alone ? "quality" : encoders].map((role, i) => {
      const other = () =>
        createBackbone(backbone, device, random?.fork(`${role} encoder`), stages < 4 ? { stages } : {});
      return [role, i === 0 ? first : other()] as const;
    });
    const all = new Encoders(new Map(made), pooling, !alone);
    super({ ...making, backbone: all });
    this.#encoders = all;
    this.#frozen = frozen > 0;
  }

  start(files: readonly WeightsFile[]): Promise<InitReport> {
    return this.#encoders.startAll(files, this.#frozen);
  }
}

export const reIqa: BodyKind = { ...standard, make: (making) => new ReIqaBody(making, false) };
/** The quality encoder alone. */
export const reIqaQuality: BodyKind = { ...standard, make: (making) => new ReIqaBody(making, true) };
