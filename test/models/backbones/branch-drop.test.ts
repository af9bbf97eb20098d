import { afterAll, expect, test } from "bun:test";
import { withoutGradients } from "../../../engine/autograd.ts";
import { toFileOrder } from "../../../engine/nn/named.ts";
import { cast } from "../../../engine/ops/cast.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type BranchDrop, createBackbone } from "../../../models/backbones/index.ts";
import { ViT } from "../../../models/backbones/vit.ts";
import { checkDifferences, formula, relativeError } from "../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../engine/device.ts";

const size = { width: 8, depth: 3, heads: 2 };
const small = { size, pixels: 12, patch: 4 };
const [images, tokens] = [5, 10];
const input = { shape: [images, 12, 12, 3], seed: 1 };
const rate = 0.6;
const drop: BranchDrop = { rate, words: (branch) => ({ seed: 3, stream: branch, offset: 7 }) };
const made: ViT[] = [];
afterAll(() => {
  for (const net of made) net.dispose();
});

async function vit(options: Partial<ConstructorParameters<typeof ViT>[2]> = {}, device = sharedDevice()) {
  const net = new ViT(await device, new Random(1, "test"), { ...small, ...options });
  made.push(net);
  // Norms and biases that do nothing would hide a mistake.
  net.tensors("").forEach(({ tensor, kind }, i) => {
    if (kind === "vector") tensor.write(formula({ shape: [tensor.size], seed: i, scale: 0.5, shift: 0.5 }));
  });
  return net;
}

/** Tokens before the last norm. */
function last(net: ViT, x: Tensor, training: boolean): Tensor {
  return net.through(x, training, 0, size.depth + 1);
}

type Rows = number[][];

/** What the branches of the blocks make of one picture's tokens in double precision, each multiplied by its factor. */
async function formulaOf(net: ViT, start: Rows, factor: (branch: string) => number): Promise<Rows> {
  const stored = await Promise.all(
    net.tensors("").map(async (named) => [named.name, toFileOrder(await named.tensor.read(), named)] as const),
  );
  const weights = new Map(stored);
  const linear = (rows: Rows, name: string): Rows => {
    const [weight, bias] = [weights.get(`${name}.weight`)!, weights.get(`${name}.bias`)!];
    return rows.map((row) =>
      Array.from(bias, (b, o) => row.reduce((sum, x, i) => sum + x * weight[o * row.length + i]!, b)),
    );
  };
  const norm = (rows: Rows, name: string): Rows =>
    rows.map((row) => {
      const mean = row.reduce((a, b) => a + b) / row.length;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      const [weight, bias] = [weights.get(`${name}.weight`)!, weights.get(`${name}.bias`)!];
      return row.map((x, i) => ((x - mean) / Math.sqrt(variance + 1e-6)) * weight[i]! + bias[i]!);
    });
  const plus = (rows: Rows, branch: Rows, by: number): Rows =>
    rows.map((row, t) => row.map((x, i) => x + by * branch[t]![i]!));
  const each = size.width / size.heads;
  const attention = (qkv: Rows): Rows =>
    qkv.map((own) =>
      Array.from({ length: size.width }, (_, out) => {
        const head = Math.floor(out / each) * each;
        const dot = (other: number[]) =>
          Array.from({ length: each }, (_, i) => own[head + i]! * other[size.width + head + i]!).reduce(
            (a, b) => a + b,
          );
        const shares = qkv.map((other) => Math.exp(dot(other) / Math.sqrt(each)));
        const total = shares.reduce((a, b) => a + b);
        return qkv.reduce((sum, other, t) => sum + (shares[t]! / total) * other[2 * size.width + out]!, 0);
      }),
    );
  const gelu = (x: number) => {
    // Abramowitz & Stegun 7.1.26, to 1.5e-7.
    const z = Math.abs(x) / Math.SQRT2;
    const t = 1 / (1 + 0.3275911 * z);
    const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
    const erf = 1 - series.reduce((sum, c) => sum * t + c, 0) * t * Math.exp(-z * z);
    return (x / 2) * (1 + Math.sign(x) * erf);
  };
  let rows = start;
  for (let i = 0; i < size.depth; i++) {
    const block = `blocks.${i}`;
    const attended = attention(linear(norm(rows, `${block}.norm1`), `${block}.attn.qkv`));
    rows = plus(rows, linear(attended, `${block}.attn.proj`), factor(`${block}.attn`));
    const wide = linear(norm(rows, `${block}.norm2`), `${block}.mlp.fc1`).map((row) => row.map(gelu));
    rows = plus(rows, linear(wide, `${block}.mlp.fc2`), factor(`${block}.mlp`));
  }
  return rows;
}

test("leaves out each branch for each picture by its own word, at rates that rise from 0, as a formula says", async () => {
  for (const device of [sharedDevice(), plainDevice()]) {
    const net = await vit({ drop }, device);
    const reads = (await device).scope(() =>
      withoutGradients(() => {
        const x = Tensor.from(net.tensors("")[0]!.tensor.device, formula(input), input.shape);
        return { start: net.through(x, true, 0, 1).read(), end: last(net, x, true).read() };
      }),
    );
    const [start, end] = [await reads.start, await reads.end];
    const rowsOf = (values: Float32Array, image: number): Rows =>
      Array.from({ length: tokens }, (_, t) => [
        ...values.subarray((image * tokens + t) * size.width, (image * tokens + t + 1) * size.width),
      ]);
    const seen = new Set<string>();
    for (let image = 0; image < images; image++) {
      const factor = (branch: string) => {
        const own = (rate * Number(branch[7])) / (size.depth - 1);
        const words = Random.restore({ seed: 3, stream: branch, position: 4 * 7 });
        const word = Array.from({ length: images }, () => words.word())[image]!;
        const isLeft = word < own * 2 ** 32;
        seen.add(`${branch} ${isLeft}`);
        return isLeft ? 0 : 1 / (1 - own);
      };
      const expected = await formulaOf(net, rowsOf(start, image), factor);
      expect(relativeError(rowsOf(end, image).flat(), expected.flat())).toBeLessThan(1e-5);
    }
    // The first block is always taken, the last one both ways.
    expect([...seen].filter((fate) => fate.startsWith("blocks.0")).sort()).toEqual([
      "blocks.0.attn false",
      "blocks.0.mlp false",
    ]);
    expect([...seen].filter((fate) => fate.startsWith("blocks.2"))).toHaveLength(4);
  }
});

test("gradients are those of what was taken", async () => {
  const net = await vit({ drop, classes: 3 });
  await checkDifferences(await sharedDevice(), [{ shape: [3, 8, 20, 3], seed: 1 }], ([x]) => net.logits(x!, true));
});

test("a cut batch leaves out what the whole one does", async () => {
  const device = await sharedDevice();
  let part: { first: number; of: number } | undefined;
  const net = await vit({ drop: { rate, words: (stream) => ({ seed: 3, stream, ...(part && { part }) }) } });
  const rows = 12 * 12 * 3;
  const run = (first: number, count: number) => {
    const data = formula(input).subarray(first * rows, (first + count) * rows);
    const reads = device.scope(() =>
      withoutGradients(() => ({ y: last(net, Tensor.from(device, data, [count, 12, 12, 3]), true).read() })),
    );
    return reads.y;
  };
  const whole = await run(0, images);
  part = { first: 3, of: images };
  const cut = await run(3, 2);
  expect(relativeError(cut, whole.subarray(3 * tokens * size.width))).toBeLessThan(1e-6);
});

test("in the mean over many draws a branch counts as without it", async () => {
  const device = await sharedDevice();
  const draws = 4000;
  const net = await vit({ drop });
  // With one branch left the tokens are linear in what is drawn.
  for (const { name, tensor } of net.tensors(""))
    if (/blocks\.(1|2\.mlp)/.test(name)) tensor.write(new Float32Array(tensor.size));
  const picture = formula({ shape: [12 * 12 * 3], seed: 4 });
  const data = Float32Array.from({ length: draws * picture.length }, (_, i) => picture[i % picture.length]!);
  const reads = device.scope(() =>
    withoutGradients(() => {
      const x = Tensor.from(device, data, [draws, 12, 12, 3]);
      const one = Tensor.from(device, picture, [1, 12, 12, 3]);
      return {
        drawn: last(net, x, true).read(),
        plain: last(net, one, false).read(),
        before: net.through(one, false, 0, 2).read(),
      };
    }),
  );
  const [drawn, plain, before] = [await reads.drawn, await reads.plain, await reads.before];
  const length = tokens * size.width;
  const mean = Array.from({ length }, (_, i) => {
    let sum = 0;
    for (let n = 0; n < draws; n++) sum += drawn[n * length + i]!;
    return sum / draws;
  });
  const branch = plain.map((value, i) => value - before[i]!);
  expect(Math.max(...branch.map(Math.abs))).toBeGreaterThan(0.1);
  // Its standard error is √(p / (1 − p) / draws) of the branch: 0.02.
  const found = mean.map((value, i) => value - before[i]!);
  expect(relativeError(found, branch)).toBeLessThan(0.06);
  expect(relativeError(found, branch)).toBeGreaterThan(1e-4);
});

test("without a rate, and in evaluation, nothing more is recorded", async () => {
  const device = await sharedDevice();
  const dispatches = async (options: object, training: boolean) => {
    const net = await vit(options);
    return device.scope(() => {
      const x = Tensor.from(device, formula(input), input.shape);
      const before = device.stream.dispatches;
      net.forward(x, training);
      return { count: device.stream.dispatches - before };
    }).count;
  };
  const plain = await dispatches({}, true);
  expect(await dispatches({ drop: { ...drop, rate: 0 } }, true)).toBe(plain);
  expect(await dispatches({ drop }, false)).toBe(plain);
  expect(await dispatches({ drop }, true)).toBeGreaterThan(plain);
});

const half = (await sharedDevice()).features.has("shader-f16");

test.skipIf(!half)("in half precision the same branches are left out", async () => {
  const device = await sharedDevice();
  const net = await vit({ drop });
  const reads = device.scope(() =>
    withoutGradients(() => {
      const start = net.through(Tensor.from(device, formula(input), input.shape), true, 0, 1);
      const rest = (x: Tensor) => cast(net.through(x, true, 1, size.depth + 1), "f32").read();
      return { wide: rest(start), narrow: rest(cast(start, "f16")) };
    }),
  );
  expect(relativeError(await reads.narrow, await reads.wide)).toBeLessThan(1e-2);
});

test("other backbones are refused", async () => {
  const device = await sharedDevice();
  expect(() => createBackbone("resnet18", device, undefined, { drop })).toThrow("resnet18 has no option `drop`");
});
