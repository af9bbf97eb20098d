// A WebGPU program that knows nothing of Acutance: heat spreads over a plate, and the total heat is summed up.
// Usage: heat.mjs [steps] [side]; prints the total after every tenth step, so that runs can be compared to the bit.
const native = globalThis.navigator?.gpu;
const { create, globals } = native ? {} : await import("webgpu");
if (globals) Object.assign(globalThis, globals);
const steps = Number(process.argv[2] ?? 30);
const side = Number(process.argv[3] ?? 256);
const gpu = native ?? create([]);
globalThis.heatGpu = gpu;
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();
if (device.features.has("timestamp-query")) throw new Error("nobody asked for timestamps");

const spread = device.createShaderModule({
  label: "spread",
  code: `override RATE: f32 = 0.2;
struct Size { side: u32 }
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> heat: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;
@compute @workgroup_size(8, 8)
fn step(@builtin(global_invocation_id) id: vec3u) {
  let n = size.side;
  if (id.x >= n || id.y >= n) { return; }
  let at = id.y * n + id.x;
  let left = heat[select(at, at - 1u, id.x > 0u)];
  let right = heat[select(at, at + 1u, id.x + 1u < n)];
  let up = heat[select(at, at - n, id.y > 0u)];
  let down = heat[select(at, at + n, id.y + 1u < n)];
  next[at] = heat[at] + RATE * (left + right + up + down - 4.0 * heat[at]);
}`,
});
const sum = device.createShaderModule({
  code: `@group(0) @binding(0) var<storage, read> heat: array<f32>;
@group(0) @binding(1) var<storage, read_write> rows: array<f32>;
var<workgroup> parts: array<f32, 64>;
@compute @workgroup_size(64)
fn sumRows(@builtin(workgroup_id) row: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = arrayLength(&heat) / arrayLength(&rows);
  var total = 0.0;
  for (var i = lane; i < n; i += 64u) { total += heat[row.x * n + i]; }
  parts[lane] = total;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { parts[lane] += parts[lane + half]; }
  }
  if (lane == 0u) { rows[row.x] = parts[0]; }
}`,
});
const stepPipeline = device.createComputePipeline({
  label: "heat step",
  layout: "auto",
  compute: { module: spread, entryPoint: "step", constants: { RATE: 0.15 } },
});
const sumPipeline = await device.createComputePipelineAsync({
  layout: "auto",
  compute: { module: sum, entryPoint: "sumRows" },
});

const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
const bytes = 4 * side * side;
const plates = ["a", "b"].map((name) =>
  device.createBuffer({ label: `plate ${name}`, size: bytes, usage: STORAGE | COPY_DST }),
);
const size = device.createBuffer({ size: 16, usage: UNIFORM | COPY_DST });
const rows = device.createBuffer({ label: "rows", size: 4 * side, usage: STORAGE | COPY_SRC });
const start = new Float32Array(side * side);
for (let i = 0; i < start.length; i++) start[i] = ((i * 2654435761) % 1000) / 1000;
device.queue.writeBuffer(plates[0], 0, start);
device.queue.writeBuffer(size, 0, new Uint32Array([side, 0, 0, 0]));

const group = (from, to) =>
  device.createBindGroup({
    layout: stepPipeline.getBindGroupLayout(0),
    entries: [size, from, to].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
const groups = [group(plates[0], plates[1]), group(plates[1], plates[0])];
const sums = device.createBindGroup({
  layout: sumPipeline.getBindGroupLayout(0),
  entries: [plates[0], rows].map((buffer, binding) => ({ binding, resource: { buffer } })),
});

async function total() {
  const read = device.createBuffer({ size: rows.size, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass({ label: "total" });
  pass.setPipeline(sumPipeline);
  pass.setBindGroup(0, sums);
  pass.dispatchWorkgroups(side);
  pass.end();
  encoder.copyBufferToBuffer(rows, 0, read, 0, rows.size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const result = new Float32Array(read.getMappedRange()).reduce((a, b) => a + b, 0);
  read.destroy();
  return result;
}

function spreadHeat(times) {
  const encoder = device.createCommandEncoder();
  encoder.pushDebugGroup("spreading");
  const pass = encoder.beginComputePass({ label: "steps" });
  pass.setPipeline(stepPipeline);
  for (let i = 0; i < times; i++) {
    pass.setBindGroup(0, groups[i % 2]);
    pass.dispatchWorkgroups(Math.ceil(side / 8), Math.ceil(side / 8));
  }
  pass.end();
  encoder.popDebugGroup();
  device.queue.submit([encoder.finish()]);
}

for (let done = 0; done < steps; done += 10) {
  spreadHeat(10);
  console.log(await total());
}
if (process.argv[4] === "crash") throw new Error("the program fails on purpose");
if (process.argv[4] === "kill") process.kill(process.pid, "SIGKILL");
if (process.argv[4] === "exit") process.exit(7);
