// A WebGPU program whose kernel reads a texture by a sampler and another by texels, and writes a third.
const native = globalThis.navigator?.gpu;
const { create, globals } = native ? {} : await import("webgpu");
if (globals) Object.assign(globalThis, globals);
const gpu = native ?? create([]);
globalThis.texturesGpu = gpu;
const device = await (await gpu.requestAdapter()).requestDevice();
const module = device.createShaderModule({
  code: `@group(0) @binding(0) var smooth_one: sampler;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var words: texture_2d<u32>;
@group(0) @binding(3) var drawn: texture_storage_2d<rgba8unorm, write>;
@group(1) @binding(0) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(4, 4) fn mix_up(@builtin(global_invocation_id) id: vec3u) {
  let seen = textureSampleLevel(picture, smooth_one, (vec2f(id.xy) + 1.0) / 16.0, 0.0);
  let word = textureLoad(words, id.xy, 0);
  sums[id.y * 16u + id.x] = seen.r + f32(word.y);
  textureStore(drawn, id.xy, seen);
}`,
});
const pipeline = device.createComputePipeline({ label: "mix up", layout: "auto", compute: { module } });
const { TEXTURE_BINDING, STORAGE_BINDING, COPY_DST } = GPUTextureUsage;
const texture = (format, usage) => device.createTexture({ size: [16, 16], format, usage });
const picture = texture("rgba8unorm", TEXTURE_BINDING | COPY_DST);
const words = texture("rg32uint", TEXTURE_BINDING | COPY_DST);
const drawn = texture("rgba8unorm", STORAGE_BINDING);
const bytes = Uint8Array.from({ length: 4 * 256 }, (_, i) => (i * 37) % 256);
device.queue.writeTexture({ texture: picture }, bytes, { bytesPerRow: 64 }, [16, 16]);
const numbers = Uint32Array.from({ length: 512 }, (_, i) => i);
device.queue.writeTexture({ texture: words }, numbers, { bytesPerRow: 128 }, [16, 16]);
const sums = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
const read = device.createBuffer({ size: 1024, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
const sampler = device.createSampler({ magFilter: "linear", minFilter: "linear" });
const resources = [sampler, picture.createView(), words.createView(), drawn.createView()];
const groups = [
  resources.map((resource, binding) => ({ binding, resource })),
  [{ binding: 0, resource: { buffer: sums } }],
].map((entries, i) => device.createBindGroup({ layout: pipeline.getBindGroupLayout(i), entries }));
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
for (const [i, group] of groups.entries()) pass.setBindGroup(i, group);
pass.dispatchWorkgroups(4, 4);
pass.end();
encoder.copyBufferToBuffer(sums, 0, read, 0, 1024);
device.queue.submit([encoder.finish()]);
await read.mapAsync(GPUMapMode.READ);
console.log(new Float32Array(read.getMappedRange()).reduce((a, b) => a + b, 0));
