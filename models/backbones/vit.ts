import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { drawn, join, type Layer, type NamedTensor } from "../../engine/nn/named.ts";
import { LayerNorm } from "../../engine/nn/norms.ts";
import { gelu } from "../../engine/ops/activations.ts";
import { add } from "../../engine/ops/arithmetic.ts";
import { selfAttention } from "../../engine/ops/attention.ts";
import { conv2d } from "../../engine/ops/contraction/conv.ts";
import { stochasticDepth } from "../../engine/ops/dropout.ts";
import { concat, slice } from "../../engine/ops/join.ts";
import { resizeBicubic } from "../../engine/ops/pictures/bicubic.ts";
import { reshape } from "../../engine/ops/shape.ts";
import type { Random } from "../../engine/random.ts";
import { ShapeError, Tensor } from "../../engine/tensor.ts";
import { Backbone, type BranchDrop } from "./backbone.ts";
import type { Section } from "./initialise.ts";

/** Length of a token, number of blocks and of heads. */
interface Extents {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

const sizes = {
  tiny: { width: 192, depth: 12, heads: 3 },
  small: { width: 384, depth: 12, heads: 6 },
  base: { width: 768, depth: 12, heads: 12 },
} as const satisfies Record<string, Extents>;

export interface VitOptions {
  /** `tiny` (5.7 M parameters), `small` (22 M) or `base` (86 M), or extents of one's own. */
  readonly size?: keyof typeof sizes | Extents;
  /** Height and width in pixels for which the position embedding is learnt; 224 unless given. */
  readonly pixels?: number;
  /** Height and width of a patch in pixels; 16 unless given. */
  readonly patch?: number;
  /** Classes of the head; without it there is no head. */
  readonly classes?: number;
  /** Both residual branches of a block draw by themselves. @default no branch is left out */
  readonly drop?: BranchDrop;
}

const names = { size: true, pixels: true, patch: true, classes: true, drop: true } satisfies Record<
  keyof VitOptions,
  true
>;

/** ε of all layer norms, as in the original networks. */
const epsilon = 1e-6;

/** A linear layer along the last axis. x: [N, T, in] → [N, T, out]. */
function alongTokens(layer: Linear, x: Tensor): Tensor {
  const [images, tokens, width] = x.shape as [number, number, number];
  const y = layer.forward(reshape(x, [images * tokens, width]));
  return reshape(y, [images, tokens, y.shape[1]!]);
}

/** A residual branch as training adds it. */
type Branch = (branch: Tensor, name: string) => Tensor;

const whole: Branch = (branch) => branch;

/** x + attention(norm(x)), then x + mlp(norm(x)) (Dosovitskiy et al. 2021, equations 2 and 3). */
class Block implements Layer {
  readonly #heads: number;
  readonly #norms: readonly [LayerNorm, LayerNorm];
  readonly #qkv: Linear;
  readonly #projection: Linear;
  readonly #expand: Linear;
  readonly #contract: Linear;

  constructor(device: Device, random: Random | undefined, { width, heads }: Extents) {
    this.#heads = heads;
    this.#norms = [new LayerNorm(device, width, epsilon), new LayerNorm(device, width, epsilon)];
    this.#qkv = new Linear(device, random?.fork("attn.qkv"), { in: width, out: 3 * width });
    this.#projection = new Linear(device, random?.fork("attn.proj"), { in: width, out: width });
    this.#expand = new Linear(device, random?.fork("mlp.fc1"), { in: width, out: 4 * width });
    this.#contract = new Linear(device, random?.fork("mlp.fc2"), { in: 4 * width, out: width });
  }

  forward(x: Tensor, taken: Branch): Tensor {
    const [images, tokens, width] = x.shape as [number, number, number];
    const qkv = alongTokens(this.#qkv, this.#norms[0].forward(x));
    const attended = selfAttention(reshape(qkv, [images, tokens, 3, this.#heads, width / this.#heads]));
    const mixed = add(x, taken(alongTokens(this.#projection, reshape(attended, x.shape)), "attn"));
    const wide = gelu(alongTokens(this.#expand, this.#norms[1].forward(mixed)));
    return add(mixed, taken(alongTokens(this.#contract, wide), "mlp"));
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      ...this.#norms[0].tensors(join(prefix, "norm1")),
      ...this.#qkv.tensors(join(prefix, "attn.qkv")),
      ...this.#projection.tensors(join(prefix, "attn.proj")),
      ...this.#norms[1].tensors(join(prefix, "norm2")),
      ...this.#expand.tensors(join(prefix, "mlp.fc1")),
      ...this.#contract.tensors(join(prefix, "mlp.fc2")),
    ];
  }
}

/** The branches of a block in training. @param share of the rate, 0 in the first block and 1 in the last */
function branchOf(drop: BranchDrop | undefined, block: string, share: number): Branch {
  if (!drop || drop.rate * share === 0) return whole;
  return (branch, name) => stochasticDepth(branch, drop.rate * share, drop.words(`${block}.${name}`));
}

/** Vision transformer with a class token and learnt positions (Dosovitskiy et al. 2021), with timm's tensor names. */
export class ViT extends Backbone {
  /** Mean and deviation 0.5, as timm's AugReg weights want it. */
  protected override readonly standardIsMean = false;
  override readonly normalisation = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] };
  protected readonly kind: string;
  protected sections: readonly Section[];
  protected override readonly head;
  /** Height and width of a patch; pictures are whole patches. */
  readonly patch: number;
  /** Patches along one side for which the position embedding is learnt. */
  readonly #grid: number;
  /** Length of a token. */
  readonly #width: number;
  readonly #patchWeight: Tensor;
  readonly #patchBias: Tensor;
  readonly #classToken: Tensor;
  readonly #positions: Tensor;

  /**
   * Linear layers and patches start uniform within ±1/√in, positions and class token normal with deviation 0.02.
   * @param random without it all weights are 0, to be loaded
   * @throws ShapeError when `pixels` is not a multiple of `patch`, or the width is not one of the heads
   */
  constructor(device: Device, random: Random | undefined, options: VitOptions = {}) {
    super();
    expectNames("ViT", options, names);
    const { size = "tiny", pixels = 224, patch = 16, classes, drop } = options;
    if (typeof size !== "string") expectNames("ViT: size", size, sizes.tiny);
    const extents = typeof size === "string" ? sizes[size] : size;
    const { width, depth, heads } = extents;
    if (pixels % patch !== 0) throw new ShapeError(`ViT: ${pixels} pixels are not whole patches of ${patch}`);
    if (width % heads !== 0) throw new ShapeError(`ViT: width ${width} cannot be split into ${heads} heads`);
    this.#width = width;
    this.patch = patch;
    this.#grid = pixels / patch;
    const inputs = patch * patch * 3;
    const patches = random?.fork("patch_embed.proj");
    const uniform = patches && (() => (2 * patches.uniform() - 1) / Math.sqrt(inputs));
    this.#patchWeight = drawn(device, [patch, patch, 3, width], uniform);
    this.#patchBias = drawn(device, [width], uniform);
    const normal = (name: string, tokens: number) => {
      const draws = random?.fork(name);
      return drawn(device, [1, tokens, width], draws && (() => 0.02 * draws.normal()));
    };
    this.#classToken = normal("cls_token", 1);
    this.#positions = normal("pos_embed", 1 + this.#grid ** 2);
    const blocks = Array.from({ length: depth }, (_, i) => new Block(device, random?.fork(`blocks.${i}`), extents));
    const branches = blocks.map((_, i) => branchOf(drop, `blocks.${i}`, depth > 1 ? i / (depth - 1) : 0));
    const norm = new LayerNorm(device, width, epsilon);
    this.head = classes
      ? [["head", new Linear(device, random?.fork("head"), { in: width, out: classes })] as const]
      : [];
    this.kind = `a vision transformer of ${depth} blocks with timm's names`;
    const title = "embeddings and blocks";
    this.sections = [
      {
        title,
        layers: [["", { tensors: (prefix) => this.#embeddings(prefix) }]],
        width,
        forward: (x) => this.#embedded(x),
      },
      ...blocks.map(
        (block, i): Section => ({
          title,
          layers: [[`blocks.${i}`, block]],
          width,
          forward: (x, training) => block.forward(x, training ? branches[i]! : whole),
        }),
      ),
      { title, layers: [["norm", norm]], width, forward: (x) => norm.forward(x) },
    ];
  }

  /** The class token after the last norm. */
  protected override standard(tokens: Tensor): Tensor {
    const [images, , width] = tokens.shape as [number, number, number];
    return reshape(slice(tokens, [0, 0, 0], [images, 1, width]), [images, width]);
  }

  /** All tokens but the class token's. */
  protected override places(tokens: Tensor): Tensor {
    const [images, count, width] = tokens.shape as [number, number, number];
    return slice(tokens, [0, 1, 0], [images, count, width]);
  }

  /** Class token and patches in rows, after the last norm: [N, 1 + H/patch · W/patch, features]. */
  tokens(x: Tensor): Tensor {
    return this.through(x, false);
  }

  /**
   * Pictures [N, H, W, 3], normalised as the weights want them (mean and deviation 0.5 for timm's AugReg weights) → tokens at
   * their places. Sizes other than the learnt one resize the position embedding.
   * @throws ShapeError when H or W is not a multiple of the patch
   */
  #embedded(x: Tensor): Tensor {
    const [, height, width, channels] = x.shape;
    if (x.rank !== 4 || channels !== 3 || height! % this.patch !== 0 || width! % this.patch !== 0) {
      throw new ShapeError(
        `ViT takes [N, H, W, 3] with H and W multiples of ${this.patch}, found [${x.shape}]; resize or crop first`,
      );
    }
    const images = x.shape[0]!;
    const rows = Tensor.zeros(x.device, [images, 1, this.#width]);
    const withClass = concat([add(rows, this.#classToken), this.#patches(x)], 1);
    return add(withClass, this.#positionsFor(height! / this.patch, width! / this.patch));
  }

  /**
   * A convolution with the patch as kernel and stride: [N, patches, features]. A line of a patch, with its channels, lies
   * together and is one pixel of a picture that is a patch as wide, so that nothing is moved.
   */
  #patches(x: Tensor): Tensor {
    const [images, height, width] = x.shape as [number, number, number];
    const { patch } = this;
    const features = this.#width;
    const [rows, columns] = [height / patch, width / patch];
    const lines = reshape(x, [images, height, columns, patch * 3]);
    const weight = reshape(this.#patchWeight, [patch, 1, patch * 3, features]);
    const embedded = conv2d(lines, weight, { bias: this.#patchBias, stride: [patch, 1] });
    return reshape(embedded, [images, rows * columns, features]);
  }

  /** The position embedding for a grid of patches, resized as timm does it: bicubic with antialias. */
  #positionsFor(rows: number, columns: number): Tensor {
    if (rows === this.#grid && columns === this.#grid) return this.#positions;
    const features = this.#width;
    const learnt = 1 + this.#grid ** 2;
    const first = slice(this.#positions, [0, 0, 0], [1, 1, features]);
    const rest = slice(this.#positions, [0, 1, 0], [1, learnt, features]);
    const map = reshape(rest, [1, this.#grid, this.#grid, features]);
    const resized = resizeBicubic(map, { height: rows, width: columns, antialias: true });
    return concat([first, reshape(resized, [1, rows * columns, features])], 1);
  }

  #embeddings(prefix: string): NamedTensor[] {
    const own = (name: string, tensor: Tensor, kind: NamedTensor["kind"]): NamedTensor => ({
      name: join(prefix, name),
      tensor,
      kind,
      role: "parameter",
    });
    return [
      own("cls_token", this.#classToken, "vector"),
      own("pos_embed", this.#positions, "vector"),
      own("patch_embed.proj.weight", this.#patchWeight, "convolution"),
      own("patch_embed.proj.bias", this.#patchBias, "vector"),
    ];
  }
}
