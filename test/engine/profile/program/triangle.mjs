// A WebGPU program that draws: a triangle into a texture, twice, once with timestamps of its own where it may have them. Prints how many
// pixels it covers.
const native = globalThis.navigator?.gpu;
const { create, globals } = native ? {} : await import("webgpu");
if (globals) Object.assign(globalThis, globals);
const gpu = native ?? create([]);
globalThis.triangleGpu = gpu;
const adapter = await gpu.requestAdapter();
const requiredFeatures = adapter.features.has("timestamp-query") ? ["timestamp-query"] : [];
const device = await adapter.requestDevice({ requiredFeatures });
const module = device.createShaderModule({
  code: `@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(select(-1.0, 1.0, i == 1u), select(-1.0, 1.0, i == 2u), 0.0, 1.0);
}
@fragment fn colour() -> @location(0) vec4f { return vec4f(1.0, 0.0, 0.0, 1.0); }`,
});
const pipeline = device.createRenderPipeline({
  label: "triangle",
  layout: "auto",
  vertex: { module, entryPoint: "corner" },
  fragment: { module, entryPoint: "colour", targets: [{ format: "rgba8unorm" }] },
});
const side = 64;
const texture = device.createTexture({
  label: "canvas",
  size: [side, side],
  format: "rgba8unorm",
  usage: GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.COPY_SRC,
});
const read = device.createBuffer({ size: 4 * side * side, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
const querySet = requiredFeatures.length > 0 ? device.createQuerySet({ type: "timestamp", count: 2 }) : undefined;
const timestampWrites = querySet && { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };

for (const own of [undefined, timestampWrites]) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginRenderPass({
    label: "drawing",
    colorAttachments: [{ view: texture.createView(), loadOp: "clear", storeOp: "store" }],
    ...(own && { timestampWrites: own }),
  });
  pass.setPipeline(pipeline);
  pass.draw(3);
  pass.draw(3);
  pass.end();
  encoder.copyTextureToBuffer({ texture }, { buffer: read, bytesPerRow: 4 * side }, [side, side]);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const pixels = new Uint8Array(read.getMappedRange());
  console.log(pixels.filter((value, i) => i % 4 === 0 && value === 255).length);
  read.unmap();
}
