// A WebGPU program of corner cases, whose output must be the same whether it is watched or not: what it may see of its device,
// errors of all kinds, dynamic offsets, debug groups, encoders recorded side by side, timestamps of its own.
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const say = (name, value) => console.log(`${name}: ${JSON.stringify(value)}`);
const gpu = create([]);
globalThis.cornersGpu = gpu;
const adapter = await gpu.requestAdapter();
const canStamp = adapter.features.has("timestamp-query");
const device = await adapter.requestDevice({ label: "plain", requiredLimits: { maxBufferSize: 2 ** 28 } });
say("features", [...device.features].sort());
say("size", device.features.size);
say("limit", device.limits.maxBufferSize);
say("label", device.label);
say("class", device instanceof GPUDevice && device.queue instanceof GPUQueue);
say("adapter", adapter.features.has("timestamp-query") === canStamp);
const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE } = GPUBufferUsage;

/** The error of some work, by its class and its first line. */
async function refused(work, on = device) {
  on.pushErrorScope("validation");
  let thrown = null;
  try {
    const result = work();
    if (result instanceof Promise) await result;
  } catch (error) {
    thrown = `${error.constructor.name}: ${error.message.split("\n")[0]}`;
  }
  const error = await on.popErrorScope();
  return { thrown, error: error && `${error.constructor.name}: ${error.message.split("\n")[0]}` };
}

const code = `@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@group(1) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4) fn twice(@builtin(global_invocation_id) id: vec3u) { x[id.x] = 2u * x[id.x] + y[id.x]; }`;
const module = device.createShaderModule({ code });
const entry = { binding: 0, visibility: GPUShaderStage.COMPUTE };
const moving = device.createBindGroupLayout({
  entries: [{ ...entry, buffer: { type: "storage", hasDynamicOffset: true } }],
});
const still = device.createBindGroupLayout({ entries: [{ ...entry, buffer: { type: "storage" } }] });
const layout = device.createPipelineLayout({ bindGroupLayouts: [moving, still] });
const pipeline = device.createComputePipeline({ layout, compute: { module } });
const x = device.createBuffer({ size: 1024, usage: STORAGE | COPY_DST | COPY_SRC });
const y = device.createBuffer({ size: 16, usage: STORAGE | COPY_DST });
say("usage", [x.usage, y.usage, x.size]);
const xs = device.createBindGroup({
  layout: moving,
  entries: [{ binding: 0, resource: { buffer: x, offset: 0, size: 16 } }],
});
const ys = device.createBindGroup({ layout: still, entries: [{ binding: 0, resource: { buffer: y } }] });

async function contents(buffer, bytes) {
  const read = device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, read, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  return [...new Uint32Array(read.getMappedRange())];
}

device.queue.writeBuffer(
  x,
  0,
  Uint32Array.from({ length: 256 }, (_, i) => i),
);
device.queue.writeBuffer(y, 0, new Uint32Array([10, 20, 30, 40]));
const one = device.createCommandEncoder();
const other = device.createCommandEncoder();
const passes = [one, other].map((encoder) => encoder.beginComputePass({ label: "side by side" }));
const offsets = new Uint32Array([0, 256, 512, 768]);
for (let i = 0; i < 6; i++) {
  const pass = passes[i % 2];
  pass.pushDebugGroup(`turn ${i}`);
  if (i < 2) pass.setPipeline(pipeline);
  pass.setBindGroup(0, xs, offsets, i % 4, 1);
  if (i < 2) pass.setBindGroup(1, ys);
  pass.dispatchWorkgroups(1);
  pass.pushDebugGroup("inner");
  pass.setBindGroup(0, xs, [offsets[(i + 1) % 4]]);
  pass.dispatchWorkgroups(1);
  pass.popDebugGroup();
  pass.insertDebugMarker("between");
  pass.popDebugGroup();
}
for (const pass of passes) pass.end();
const finished = [other.finish(), one.finish()];
device.queue.submit(finished);
say("contents", await contents(x, 1024));

const indirect = device.createBuffer({ size: 12, usage: GPUBufferUsage.INDIRECT | COPY_DST });
device.queue.writeBuffer(indirect, 0, new Uint32Array([1, 1, 1]));
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, xs, [0]);
pass.setBindGroup(1, ys);
pass.dispatchWorkgroupsIndirect(indirect, 0);
pass.dispatchWorkgroupsIndirect(indirect, 0);
pass.end();
device.queue.submit([encoder.finish()]);
say("indirect", await contents(x, 64));

say("shader", await refused(() => device.createShaderModule({ code: "fn broken( {" })));
say("pipeline", await refused(() => device.createComputePipeline({ layout, compute: { module, entryPoint: "none" } })));
say(
  "pipeline later",
  await refused(() => device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "none" } })),
);
say("buffer", await refused(() => device.createBuffer({ size: 2 ** 29, usage: STORAGE })));
say("twice submitted", await refused(() => device.queue.submit([finished[0]])));
say(
  "no pipeline",
  await refused(() => {
    const commands = device.createCommandEncoder();
    const open = commands.beginComputePass();
    open.dispatchWorkgroups(1);
    open.end();
    commands.finish();
  }),
);
say(
  "no group in the second dispatch",
  await refused(() => {
    const commands = device.createCommandEncoder();
    const open = commands.beginComputePass();
    open.setPipeline(pipeline);
    open.setBindGroup(0, xs, [0]);
    open.setBindGroup(1, ys);
    open.dispatchWorkgroups(1);
    open.setBindGroup(1, null);
    open.dispatchWorkgroups(1);
    open.end();
    commands.finish();
  }),
);
for (const [name, work] of Object.entries({
  "open pass": (commands) => void commands.beginComputePass(),
  "two passes": (commands) => [commands.beginComputePass(), commands.beginComputePass()],
  "copy in a pass": (commands) => {
    commands.beginComputePass();
    commands.copyBufferToBuffer(x, 0, y, 0, 16);
  },
  "ended twice": (commands) => {
    const open = commands.beginComputePass();
    open.end();
    open.end();
  },
  "unbalanced groups": (commands) => {
    const open = commands.beginComputePass();
    open.pushDebugGroup("open");
    open.end();
  },
  "wrong offset": (commands) => {
    const open = commands.beginComputePass();
    open.setPipeline(pipeline);
    open.setBindGroup(0, xs, [3]);
    open.end();
  },
  "copy too long": (commands) => commands.copyBufferToBuffer(x, 0, y, 0, 512),
})) {
  say(
    name,
    await refused(() => {
      const commands = device.createCommandEncoder();
      work(commands);
      commands.finish();
    }),
  );
}
// Bun ends with Dawn's TypeErrors.
if (!process.versions.bun)
  say("query set", (await refused(() => device.createQuerySet({ type: "timestamp", count: 2 }))).thrown?.split(":")[0]);
say("mapped wrongly", (await refused(() => x.mapAsync(GPUMapMode.READ))).thrown);
if (canStamp) {
  const stamped = await (await gpu.requestAdapter()).requestDevice({ requiredFeatures: ["timestamp-query"] });
  say("own timestamps", [...stamped.features].sort());
  const querySet = stamped.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = stamped.createBuffer({ size: 256, usage: QUERY_RESOLVE | COPY_SRC });
  const read = stamped.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
  const empty = stamped.createComputePipeline({
    layout: "auto",
    compute: { module: stamped.createShaderModule({ code: "@compute @workgroup_size(1) fn main() {}" }) },
  });
  const commands = stamped.createCommandEncoder();
  const open = commands.beginComputePass({
    timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
  });
  open.setPipeline(empty);
  for (let i = 0; i < 3; i++) open.dispatchWorkgroups(1);
  open.end();
  commands.resolveQuerySet(querySet, 0, 2, resolved, 0);
  commands.copyBufferToBuffer(resolved, 0, read, 0, 16);
  stamped.queue.submit([commands.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const [begin, end] = new BigUint64Array(read.getMappedRange());
  say("in order", begin > 0n && end > begin);
  stamped.destroy();
  say("lost", (await stamped.lost).reason);
}
const refusedDevice = await adapter
  .requestDevice({ requiredFeatures: ["no-such-feature"] })
  .catch((error) => error.constructor.name);
say("refused device", refusedDevice);
device.destroy();
say("destroyed", (await device.lost).reason);
