// Sums over all rows from those over blocks of rows, in order, and the same as gradients of shift and scale:
//   sums = (Σ dz, Σ dz · x̂)      dshift = Σ dz      dscale = Σ dz · x̂
// parts: [parts, 2, channels] as norm/gradient_sums.wgsl or reduce/axis.wgsl makes them, sums: [2, channels],
// dshift, dscale: [channels]
//
// One invocation makes both sums of one vec4 of channels. VECTOR: true when channels come as vec4s, false for scalars.
// WORKGROUP: invocations of a workgroup.
//#use number/element

struct Params {
  parts: u32,
  channels: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<Element>;
@group(0) @binding(1) var<storage, read_write> sums: array<Element>;
@group(0) @binding(2) var<storage, read_write> dshift: array<Element>;
@group(0) @binding(3) var<storage, read_write> dscale: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (channel >= params.channels) {
    return;
  }
  var sum = Element();
  var product = Element();
  var at = channel;
  for (var part = 0u; part < params.parts; part++) {
    sum += parts[at];
    product += parts[at + params.channels];
    at += 2u * params.channels;
  }
  sums[channel] = sum;
  sums[params.channels + channel] = product;
  dshift[channel] = sum;
  dscale[channel] = product;
}
