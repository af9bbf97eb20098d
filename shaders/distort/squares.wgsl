// y = the colour of the last square that covers the pixel, x where none does. squares: f32 [count, 5], (row, column, R, G, B), the
// corner in whole pixels. x, y: [height, width, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  width: u32,
  side: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width) {
    return;
  }
  let h = index / params.width;
  let w = index - h * params.width;
  var colour = vec3f(x[3u * index], x[3u * index + 1u], x[3u * index + 2u]);
  for (var i = 0u; i < params.count; i++) {
    let top = u32(squares[5u * i]);
    let left = u32(squares[5u * i + 1u]);
    if (h >= top && h < top + params.side && w >= left && w < left + params.side) {
      colour = vec3f(squares[5u * i + 2u], squares[5u * i + 3u], squares[5u * i + 4u]);
    }
  }
  y[3u * index] = colour.x;
  y[3u * index + 1u] = colour.y;
  y[3u * index + 2u] = colour.z;
}
