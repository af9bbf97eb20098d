import type { Extents } from "./data.ts";
import type { Network } from "./networks.ts";
import * as networks from "./networks.ts";

export const groups = ["conv", "matmul", "attention", "norm", "forward", "gradient", "step"] as const;
export type Group = (typeof groups)[number];

/** What a heading says of a group. */
export const groupTitles: Record<Group, string> = {
  conv: "convolutions",
  matmul: "matrix products",
  attention: "attention",
  norm: "batch norm",
  forward: "whole networks, forward",
  gradient: "blocks, forward and backward",
  step: "training step",
};

/**
 * `forward`: the network's output. `gradient`: the gradients of Σ y·c for all inputs and weights, c fixed numbers.
 * `step`: cross-entropy, backward and an update by SGD with momentum; the loss before the update.
 */
export type Mode = "forward" | "gradient" | "step";

export interface Case {
  readonly group: Group;
  readonly name: string;
  readonly mode: Mode;
  /** Shapes of the inputs, which are uploaded in every run; pictures as [N, H, W, C]. */
  readonly inputs: readonly Extents[];
  /** Shape of the output. */
  readonly output: Extents;
  readonly network: Network;
  /** One of the few of `--quick`. */
  readonly quick: boolean;
}

/** Rate and momentum of the training step. */
export const descent = { rate: 0.01, momentum: 0.9 } as const;

export interface NetworkConvolution extends networks.Convolution {
  /** torchvision's name. */
  readonly name: string;
  /** Height and width of the input in pixels. */
  readonly side: number;
}

/** All convolutions of ResNet-18 or ResNet-50 at 224 pixels in order, the stride on the 3x3 ones as in torchvision. */
export function resnetConvolutions(depth: 18 | 50): NetworkConvolution[] {
  const list: NetworkConvolution[] = [{ name: "conv1", side: 224, kernel: 7, stride: 2, channels: 3, columns: 64 }];
  const blocks = depth === 18 ? [2, 2, 2, 2] : [3, 4, 6, 3];
  let [side, channels] = [56, 64];
  for (const [stage, count] of blocks.entries()) {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < count; block++) {
      const stride = block === 0 && stage > 0 ? 2 : 1;
      const half = side / stride;
      const columns = depth === 18 ? width : 4 * width;
      const name = (part: string) => `layer${stage + 1}.${block}.${part}`;
      if (depth === 18) {
        list.push({ name: name("conv1"), side, kernel: 3, stride, channels, columns });
        list.push({ name: name("conv2"), side: half, kernel: 3, stride: 1, channels: columns, columns });
      } else {
        list.push({ name: name("conv1"), side, kernel: 1, stride: 1, channels, columns: width });
        list.push({ name: name("conv2"), side, kernel: 3, stride, channels: width, columns: width });
        list.push({ name: name("conv3"), side: half, kernel: 1, stride: 1, channels: width, columns });
      }
      if (stride !== 1 || channels !== columns) {
        list.push({ name: name("downsample.0"), side, kernel: 1, stride, channels, columns });
      }
      [side, channels] = [half, columns];
    }
  }
  return list;
}

const outputSide = ({ side, stride }: NetworkConvolution) => Math.ceil(side / stride);

/** Multiplications of a convolution for one picture. */
export function multiplications(shape: NetworkConvolution): number {
  const { kernel, channels, columns } = shape;
  return outputSide(shape) ** 2 * kernel ** 2 * channels * columns;
}

function convolutionCases(): Case[] {
  const distinct = new Map<string, { shape: NetworkConvolution; uses: Map<number, number> }>();
  for (const depth of [18, 50] as const) {
    for (const shape of resnetConvolutions(depth)) {
      const { side, kernel, stride, channels, columns } = shape;
      const key = `${kernel}x${kernel}/${stride} ${channels}-${columns} at ${side}`;
      const entry = distinct.get(key) ?? { shape, uses: new Map() };
      entry.uses.set(depth, (entry.uses.get(depth) ?? 0) + 1);
      distinct.set(key, entry);
    }
  }
  const quick = ["3x3/1 64-64 at 56", "3x3/1 256-256 at 14", "1x1/1 64-256 at 56"];
  return [...distinct].map(([key, { shape, uses }]) => ({
    group: "conv",
    name: `conv ${key} (${[...uses].map(([depth, count]) => `R${depth} x${count}`).join(", ")})`,
    mode: "forward",
    inputs: [[1, shape.side, shape.side, shape.channels]],
    output: [1, outputSide(shape), outputSide(shape), shape.columns],
    network: networks.convolution("weight", shape),
    quick: quick.includes(key),
  }));
}

const transformers = [
  { size: "ViT-Tiny", width: 192, heads: 3 },
  { size: "ViT-Small", width: 384, heads: 6 },
] as const;
const tokens = 197;

function productCases(): Case[] {
  return transformers.flatMap(({ size, width }) => {
    const shapes = [
      ["patches", 196, 768, width],
      ["qkv", tokens, width, 3 * width],
      ["proj", tokens, width, width],
      ["fc1", tokens, width, 4 * width],
      ["fc2", tokens, 4 * width, width],
      ["head", 1, width, 1000],
    ] as const;
    return shapes.map(
      ([part, rows, inner, columns]): Case => ({
        group: "matmul",
        name: `${size} ${part}: ${rows} x ${inner} x ${columns}`,
        mode: "forward",
        inputs: [[rows, inner]],
        output: [rows, columns],
        network: networks.product(inner, columns),
        quick: size === "ViT-Tiny" && part === "fc1",
      }),
    );
  });
}

function attentionCases(): Case[] {
  return transformers.map(({ size, width, heads }) => ({
    group: "attention",
    name: `${size}: ${tokens} tokens, ${heads} heads of ${width / heads}`,
    mode: "forward",
    inputs: [0, 1, 2].map(() => [1, tokens, width]),
    output: [1, tokens, width],
    network: networks.attention(heads),
    quick: size === "ViT-Tiny",
  }));
}

const batch = 8;

function normCases(): Case[] {
  const maps = [
    [112, 64],
    [56, 64],
    [28, 128],
    [14, 256],
    [7, 512],
  ] as const;
  return maps.flatMap(([side, channels]) =>
    [false, true].map(
      (training): Case => ({
        group: "norm",
        name: `${channels} channels at ${side}, batch ${batch}, ${training ? "batch" : "running"} statistics`,
        mode: "forward",
        inputs: [[batch, side, side, channels]],
        output: [batch, side, side, channels],
        network: networks.batchNorm(channels, training),
        quick: side === 28,
      }),
    ),
  );
}

function forwardCases(): Case[] {
  const nets = [
    ["ResNet-18", networks.resnet18(false)],
    ["ViT-Tiny", networks.vit(192, 3)],
  ] as const;
  return nets.flatMap(([name, network]) =>
    [1, batch].map(
      (images): Case => ({
        group: "forward",
        name: `${name} at 224, batch ${images}`,
        mode: "forward",
        inputs: [[images, 224, 224, 3]],
        output: [images, 1000],
        network,
        quick: images === 1,
      }),
    ),
  );
}

function gradientCases(): Case[] {
  const map = [batch, 56, 56, 64];
  const rows = [batch, tokens, 192];
  const shared = { group: "gradient", mode: "gradient", quick: true } as const;
  const basic = networks.basicBlock("", 64, 64, 1, true);
  return [
    { ...shared, name: `basic block, 64 channels at 56, batch ${batch}`, inputs: [map], output: map, network: basic },
    {
      ...shared,
      name: `ViT-Tiny block, batch ${batch}`,
      inputs: [rows],
      output: rows,
      network: networks.vitBlock("", 192, 3),
    },
  ];
}

const step: Case = {
  group: "step",
  name: `ResNet-18 training step at 224, batch ${batch}`,
  mode: "step",
  inputs: [[batch, 224, 224, 3]],
  output: [batch, 1000],
  network: networks.resnet18(true),
  quick: true,
};

/** Everything that is compared. */
export const cases: readonly Case[] = [
  ...convolutionCases(),
  ...productCases(),
  ...attentionCases(),
  ...normCases(),
  ...forwardCases(),
  ...gradientCases(),
  step,
];
