import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import type { Random } from "../../engine/random.ts";
import type { Backbone, BranchDrop } from "./backbone.ts";
import { MobileNetV2 } from "./mobilenet.ts";
import { ResNet, type ResNetOptions } from "./resnet.ts";
import { Scnn } from "./scnn.ts";
import { Vgg16 } from "./vgg.ts";
import { ViT, type VitOptions } from "./vit.ts";

export interface BackboneOptions {
  /** Classes of the network's own head; without it there is no head, and `logits` throws. */
  readonly classes?: number;
  /** Of a ResNet: how many of its four stages there are. */
  readonly stages?: number;
  /** Of a vision transformer: height and width in pixels for which its positions are learnt. */
  readonly pixels?: number;
  /** Of a vision transformer. @default no branch is left out */
  readonly drop?: BranchDrop;
}

const names = { classes: true, stages: true, pixels: true, drop: true } satisfies Record<keyof BackboneOptions, true>;

type Make = (device: Device, random: Random | undefined, options: BackboneOptions) => Backbone;

const resnet =
  (depth: NonNullable<ResNetOptions["depth"]>): Make =>
  (device, random, { classes, stages }) =>
    new ResNet(device, random, { depth, classes, stages });

const vit =
  (size: VitOptions["size"]): Make =>
  (device, random, { classes, pixels, drop }) =>
    new ViT(device, random, { size, classes, pixels, drop });

const makers = {
  resnet18: resnet(18),
  resnet34: resnet(34),
  resnet50: resnet(50),
  resnet101: resnet(101),
  mobilenet_v2: (device, random, { classes }) => new MobileNetV2(device, random, { classes }),
  vgg16: (device, random, { classes }) => new Vgg16(device, random, { classes }),
  vgg16_bn: (device, random, { classes }) => new Vgg16(device, random, { classes, batchNorm: true }),
  scnn: (device, random, { classes }) => {
    if (classes !== undefined) throw new RangeError("scnn has no head of its own; leave `classes` out");
    return new Scnn(device, random);
  },
  vit_tiny_patch16_224: vit("tiny"),
  vit_small_patch16_224: vit("small"),
  vit_base_patch16_224: vit("base"),
} as const satisfies Record<string, Make>;

/** A name that {@link createBackbone} knows: torchvision's for convolutional networks, timm's for transformers; scnn is the branch of DB-CNN. */
export type BackboneName = keyof typeof makers;

/** All names that {@link createBackbone} knows. */
export const backboneNames = Object.keys(makers) as [BackboneName, ...BackboneName[]];

/**
 * A backbone by its name, with fresh weights.
 * @param random where the weights are drawn from; without it they are 0, to be loaded
 * @throws RangeError when there is no backbone of that name, or it has no such option
 */
export function createBackbone(
  name: string,
  device: Device,
  random: Random | undefined,
  options: BackboneOptions = {},
): Backbone {
  expectNames("createBackbone", options, names);
  if (!Object.hasOwn(makers, name)) {
    throw new RangeError(`there is no backbone "${name}"; known are ${backboneNames.join(", ")}`);
  }
  if (options.stages !== undefined && !name.startsWith("resnet")) {
    throw new RangeError(`${name} has no option \`stages\`; only ResNets can be cut to fewer stages`);
  }
  if (options.pixels !== undefined && !name.startsWith("vit")) {
    throw new RangeError(`${name} has no option \`pixels\`; it takes pictures of any size`);
  }
  if (options.drop !== undefined && !name.startsWith("vit")) {
    throw new RangeError(`${name} has no option \`drop\`; only vision transformers leave branches out`);
  }
  return makers[name as BackboneName](device, random, options);
}

export { Backbone, type BranchDrop, type Normalisation, type Pooling, poolings } from "./backbone.ts";
export type { InitReport } from "./initialise.ts";
export { MobileNetV2, type MobileNetV2Options } from "./mobilenet.ts";
export { ResNet, type ResNetOptions } from "./resnet.ts";
export { Vgg16, type VggOptions } from "./vgg.ts";
export { ViT, type VitOptions } from "./vit.ts";
