// dx[o, v, i] = Σ dy[o, j, i] over the j of place v, in ascending order: places[starts[v]] … places[starts[v + 1] − 1], as
// gather/order.wgsl leaves them.   dy: [outer, count, inner], dx: [outer, length, inner]
//
// One invocation makes one Element of dx. VECTOR: inner counts whole vec4s.   WORKGROUP: invocations of a workgroup.
struct Params {
  outer: u32,
  length: u32,
  count: u32,
  inner: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.outer * params.length * params.inner) {
    return;
  }
  let line = index / params.inner;
  let i = index - line * params.inner;
  let o = line / params.length;
  let v = line - o * params.length;
  var sum = Element();
  let end = starts[v + 1u];
  for (var p = starts[v]; p < end; p++) {
    sum += dy[(o * params.count + places[p]) * params.inner + i];
  }
  dx[index] = sum;
}
