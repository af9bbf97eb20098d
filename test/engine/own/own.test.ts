import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { checkOperation } from "../../../engine/own/check.ts";
import { defineOperation } from "../../../engine/own/define.ts";
import { profile } from "../../../engine/profile/profiler.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { sharedDevice } from "../device.ts";

const wgsl = `
//#use number/nan
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gate: array<f32>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dgate: array<f32>;
//#else
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * 64u);
  if (i >= params.count) {
    return;
  }
  let s = 1.0 / (1.0 + exp(-gate[i]));
  //#if GRADIENT
  dx[i] = dy[i] * gate[i] * s;
  dgate[i] = {{SLIP}} * dy[i] * x[i] * (s + gate[i] * s * (1.0 - s));
  //#else
  y[i] = x[i] * gate[i] * s;
  //#end
}
`;

/** y = x · gate · σ(gate), the activation of SwiGLU (Shazeer 2020). `slip` scales a gradient that should be left alone. */
const swish = (slip = 1) =>
  defineOperation({
    name: "swish gate",
    inputs: ["x", "gate"],
    wgsl,
    shape: ({ x, gate }) => {
      if (x.join() !== gate.join()) throw new ShapeError(`swish gate: x is [${x}], the gate [${gate}]`);
      return x;
    },
    forward: ({ x, gate }, y, run) =>
      run({
        bindings: { x, gate, y },
        constants: { GRADIENT: false, SLIP: slip },
        parameters: { count: y.size },
        invocations: y.size,
      }),
    gradient: ({ x, gate }, dy, run) => {
      const [dx, dgate] = [Tensor.like(x), Tensor.like(gate)];
      run({
        bindings: { x, gate, dy, dx, dgate },
        constants: { GRADIENT: true, SLIP: slip },
        parameters: { count: dy.size },
        invocations: dy.size,
      });
      return { x: dx, gate: dgate };
    },
    flops: ({ x }) => 5 * x.reduce((a, b) => a * b, 1),
  });

const reference = ({ x, gate }: { x: Float64Array; gate: Float64Array }) =>
  x.map((value, i) => (value * gate[i]!) / (1 + Math.exp(-gate[i]!)));
const shapes = [[1], [3, 5], [7, 61], [2, 3, 700]].map((shape) => ({ x: shape, gate: shape }));

describe("an operation of one's own", () => {
  test("passes its check in every part: types, small bindings, NaN and infinities, golden values", async () => {
    const golden = {
      inputs: { x: { shape: [2], values: [2, -1] }, gate: { shape: [2], values: [0, 1] } },
      output: [0, -0.7310585786300049],
      gradients: { x: [0, 0.7310585786300049], gate: [1, -0.9276705118714869] },
    };
    const report = await checkOperation(swish(), { shapes, reference, golden: [golden] });
    expect(report.text).not.toContain("WRONG");
    expect(report.ok).toBe(true);
    const has = (part: string) => report.findings.filter(({ what }) => what.includes(part)).length;
    expect(has("golden")).toBe(3);
    expect(has("small bindings")).toBeGreaterThan(shapes.length);
    expect(report.text).toContain("[2, 3, 700] [2, 3, 700]: output, f32, small bindings: refused, as it should be");
    expect(has("NaN")).toBe(2 * shapes.length);
    if ((await sharedDevice()).features.has("shader-f16")) expect(has("f16")).toBe(3 * shapes.length);
  });

  test("that is wrong by a per cent in one gradient fails there, and nowhere else", async () => {
    const { ok, findings } = await checkOperation(swish(1.01), { shapes, reference, special: false });
    expect(ok).toBe(false);
    for (const { ok, what } of findings) if (!ok) expect(what).toContain("gradient of gate");
    expect(findings.some(({ ok, what }) => !ok && what.includes("f32"))).toBe(true);
  });

  test("that loses a NaN fails, and the element is named", async () => {
    const clean = defineOperation({
      name: "clean",
      inputs: ["x"],
      wgsl: wgsl
        .replace("y[i] = x[i] * gate[i] * s;", "y[i] = select(x[i], 0.0, is_nan(x[i]));")
        .replace("@group(0) @binding(1) var<storage, read> gate: array<f32>;", "const gate = array(0.0);")
        .replace("exp(-gate[i])", "1.0"),
      shape: ({ x }) => x,
      forward: ({ x }, y, run) =>
        run({ bindings: { x, y }, constants: { GRADIENT: false }, parameters: { count: y.size }, groups: [1, 1, 1] }),
    });
    const { findings } = await checkOperation(clean, { shapes: [{ x: [5] }], reference: ({ x }) => x });
    const wrong = findings.filter(({ ok }) => !ok);
    expect(wrong.map(({ what, note }) => `${what}: ${note}`)).toEqual([
      "[5]: output where x has NaN: element 2 is 0, not NaN",
    ]);
  });

  test("is on the tape between the engine's, in plans and in profiles with its arithmetic", async () => {
    const device = await sharedDevice();
    const gate = swish();
    const x = Tensor.from(device, [1, 2, 3, 4], [2, 2]);
    x.requiresGradient = true;
    const { profile: found } = await profile(device, () =>
      device.scope(() => backward(sum(gate({ x: matmul(x, x), gate: x })))),
    );
    const kernel = found.kernels.find(({ kernel, phase }) => kernel === "swish gate" && phase === "forward")!;
    expect(kernel.flops).toBe(20);
    expect(found.kernels.some(({ kernel, phase }) => kernel === "swish gate" && phase === "backward")).toBe(true);
    expect((await x.gradient!.read()).every(Number.isFinite)).toBe(true);
    const plan = device.trace(() => gate({ x, gate: x }));
    x.write([0, 1, 0, 1]);
    plan.replay();
    expect([...(await plan.result.read())]).toEqual([0, expect.closeTo(0.731059, 5), 0, expect.closeTo(0.731059, 5)]);
    plan.dispose();
    x.dispose();
  });

  test("two of one name keep their own texts", async () => {
    const device = await sharedDevice();
    const times = (factor: number) =>
      defineOperation({
        name: "times",
        inputs: ["x"],
        wgsl: `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = x[id.x] * ${factor}.0; }`,
        shape: ({ x }) => x,
        forward: ({ x }, y, run) => run({ bindings: { x, y }, groups: [1, 1, 1] }),
      });
    const x = Tensor.from(device, [1, 2, 3, 4], [4]);
    const reads = device.scope(() => ({ two: times(2)({ x }).read(), three: times(3)({ x }).read() }));
    expect([...(await reads.two)]).toEqual([2, 4, 6, 8]);
    expect([...(await reads.three)]).toEqual([3, 6, 9, 12]);
    x.requiresGradient = true;
    expect(() => device.scope(() => backward(sum(times(2)({ x }))))).toThrow("times has no gradient");
    x.dispose();
  });
});

describe("mistakes are told in JavaScript too", () => {
  // biome-ignore lint/suspicious/noExplicitAny: what a caller without types may do
  const loose = defineOperation as any;
  const right = { name: "own", inputs: ["x"], wgsl, shape: () => [1], forward: () => {} };

  test.each([
    [{ ...right, inputs: [] }, "inputs must be a list of names, got []"],
    [{ ...right, inputs: ["x", "x"] }, "inputs has a name twice, x, x"],
    [{ ...right, wgsl: 3 }, "wgsl must be the text of a kernel, or texts by name, got 3"],
    [{ ...right, shape: undefined }, "shape must be a function, got undefined"],
    [{ ...right, gradients: () => {} }, 'unknown option "gradients" of defineOperation; did you mean "gradient"?'],
  ])("%#: a definition", (definition, message) => {
    expect(() => loose(definition)).toThrow(message);
  });

  test("a call", async () => {
    const device = await sharedDevice();
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const gate = swish() as any;
    const x = Tensor.from(device, [1, 2, 3], [3]);
    const wide = Tensor.from(device, [1, 2, 3, 4], [4]);
    expect(() => gate(x, x)).toThrow("swish gate has no input");
    expect(() => gate({ x })).toThrow("swish gate: gate must be a tensor, found undefined");
    expect(() => gate({ x, gate: wide })).toThrow("swish gate: x is [3], the gate [4]");
    const badly = (call: object) => () =>
      loose({
        ...right,
        wgsl,
        shape: () => [3],
        forward: (_: object, y: Tensor, run: (call: object) => void) => run({ bindings: { x, y }, ...call }),
      })({ x });
    const constants = { GRADIENT: false, SLIP: 1 };
    expect(badly({ constants })).toThrow("own: a call has either invocations or groups");
    expect(badly({ constants, invocations: 3 })).toThrow('binds nothing as "gate"');
    expect(badly({ constants, invocations: 3, bindings: { x, gate: x, y: x, z: x } })).toThrow(
      'no storage variable "z"',
    );
    expect(badly({ constants, invocations: 3, bindings: { x, gate: x, y: x } })).toThrow(
      'parameter "count" is missing',
    );
    expect(badly({ invocations: 3 })).toThrow("GRADIENT");
    expect(badly({ kernel: "forwards", invocations: 3 })).toThrow('own: a call has no kernel "forwards", own');
    for (const tensor of [x, wide]) tensor.dispose();
  });

  test("a gradient of another shape", async () => {
    const device = await sharedDevice();
    const x = Tensor.from(device, [1, 2, 3], [3]);
    x.requiresGradient = true;
    const own = loose({ ...right, gradient: ({ x }: { x: Tensor }) => ({ x: x.alias([3, 1]) }), shape: () => [1] });
    expect(() => device.scope(() => backward(own({ x })))).toThrow("own: the gradient of x is [3,1], x itself [3]");
    x.dispose();
  });

  test("a check of nothing", async () => {
    await expect(checkOperation(swish(), {})).rejects.toThrow("needs a reference with shapes");
  });
});
