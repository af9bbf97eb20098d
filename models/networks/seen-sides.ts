import { OptionError } from "../options.ts";

/** What is seen by which backbone, as the options of a network have it. */
interface Seen {
  readonly network: string;
  readonly backbone: string;
  readonly second: string;
  readonly secondDepths: readonly number[];
  readonly sides: readonly number[];
  readonly secondSides: readonly number[];
  readonly stages: number;
  readonly crop: number;
}

/** Whether the backbone is a vision transformer. */
export function isTransformer({ backbone }: { readonly backbone?: unknown }): boolean {
  return typeof backbone === "string" && backbone.startsWith("vit");
}

/** Networks of two backbones. */
const pairs = ["paired", "branches"];

/** @throws OptionError for options of a second backbone where there is none */
export function expectPair({ network, second, secondDepths, sides, secondSides, stages }: Seen): void {
  if (pairs.includes(network)) {
    if (stages < 4)
      throw new OptionError(
        `\`stages\` ${stages}: in the \`network\` ${network} \`featureDepths\` and \`secondDepths\` say what is used`,
      );
    return;
  }
  const given = Object.entries({ secondDepths, sides, secondSides }).find(([, value]) => value.length > 0);
  const said = given ?? (second === "resnet18" ? undefined : (["second", second] as const));
  if (said)
    throw new OptionError(
      `\`${said[0]}\` ${said[1]}: the \`network\` ${network} has one backbone, which sees the crop; give \`network\` paired`,
    );
}

/** @throws OptionError when a vision transformer is to see a side that is not whole patches */
export function expectPatches({ network, backbone, second, sides, secondSides, crop }: Seen): void {
  const seen = (name: string, list: readonly number[]) =>
    list.length > 0 ? ([name, list] as const) : (["crop", [crop]] as const);
  const all = pairs.includes(network)
    ? [[backbone, ...seen("sides", sides)] as const, [second, ...seen("secondSides", secondSides)] as const]
    : [[backbone, ...seen("crop", [])] as const];
  for (const [each, name, list] of all) {
    if (!isTransformer({ backbone: each }) || list.every((side) => side % 16 === 0)) continue;
    throw new OptionError(`\`${name}\` ${list}: ${each} takes whole patches of 16 pixels`);
  }
}
