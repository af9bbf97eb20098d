import { OptionError } from "../options.ts";

/** Networks that make their feature in a way of their own. */
const ownWay = ["dbcnn", "hyperiqa"];
/** Options of the feature that others make of maps, with the values that say nothing. */
const ofFeature = { featureDepths: "", pooling: "standard", featureNorm: "none" };

/**
 * What networks that make their feature in their own way do not do.
 * @throws OptionError when options ask for it
 */
export function expectReadOptions(
  options: Readonly<Record<keyof typeof ofFeature, unknown>> & {
    readonly network: string;
    readonly backbone: string;
    readonly tokenShare: number;
    readonly head: string;
    readonly levels: number;
    readonly embedding: number;
  },
): void {
  const { network, backbone } = options;
  if (network === "branches") expectBranches(options);
  if (!ownWay.includes(network)) return;
  for (const [name, none] of Object.entries(ofFeature)) {
    const value = options[name as keyof typeof ofFeature];
    if (String(value) !== none)
      throw new OptionError(
        `\`${name}\` ${value}: the \`network\` ${network} makes its feature in its own way; leave it out`,
      );
  }
  if (network === "hyperiqa" && !backbone.startsWith("resnet"))
    throw new OptionError(
      `\`backbone\` ${backbone}: the \`network\` ${network} reads the maps of four stages; give a ResNet`,
    );
  if (network === "dbcnn" && backbone.startsWith("vit"))
    throw new OptionError(
      `\`backbone\` ${backbone}: the \`network\` ${network} multiplies maps of channels, and a vision transformer has none; give a convolutional one`,
    );
}

/** What a network of two branches must be: each has one score. @throws OptionError */
function expectBranches({
  head,
  levels,
  embedding,
  featureNorm,
}: {
  readonly head: string;
  readonly levels: number;
  readonly embedding: number;
  readonly featureNorm: unknown;
}): void {
  const wanted = { head: "ensemble", levels: 2, embedding: 0, featureNorm: "none" };
  for (const [name, value] of Object.entries({ head, levels, embedding, featureNorm })) {
    const only = wanted[name as keyof typeof wanted];
    if (value !== only)
      throw new OptionError(
        `\`${name}\` ${value}: in the \`network\` branches each of two backbones has one score; give \`${name}\` ${only}`,
      );
  }
}
