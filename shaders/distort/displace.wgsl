// y[h, w] = x at (h + deviation·n₁, w + deviation·n₂), n₁ and n₂ standard normal, drawn for each pixel: cubic convolution of 4 x 4 pixels
// with a = −1/2 (Keys 1981), positions outside taken from the nearest edge. CLIP: y is clipped to [0, 1].
// words: u32 [pixels, 2], uniform (random/words.wgsl). x, y: [height, width, 3].
//
// One invocation makes one pixel. WORKGROUP: invocations of a workgroup.
//#use distort/normals
struct Params {
  height: u32,
  width: u32,
  deviation: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> words: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Weights of the pixels −1, 0, 1 and 2 for a place t of 0 to 1 between pixels 0 and 1.
fn cubic_weights(t: f32) -> vec4f {
  let t2 = t * t;
  let t3 = t2 * t;
  return vec4f(-0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1.0, -1.5 * t3 + 2.0 * t2 + 0.5 * t, 0.5 * t3 - 0.5 * t2);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.height * params.width) {
    return;
  }
  let word = words[index];
  // Far off the picture there is nothing but its edge.
  let limit = vec2f(f32(params.height), f32(params.width));
  let shift = clamp(params.deviation * normals(word.x, word.y), -limit, limit);
  let whole = floor(shift);
  let rows = cubic_weights(shift.x - whole.x);
  let columns = cubic_weights(shift.y - whole.y);
  let h = i32(index / params.width) + i32(whole.x) - 1;
  let w = i32(index % params.width) + i32(whole.y) - 1;
  var sum = vec3f();
  for (var i = 0; i < 4; i++) {
    let row = u32(clamp(h + i, 0, i32(params.height) - 1)) * params.width;
    for (var j = 0; j < 4; j++) {
      let at = 3u * (row + u32(clamp(w + j, 0, i32(params.width) - 1)));
      sum += rows[i] * columns[j] * vec3f(x[at], x[at + 1u], x[at + 2u]);
    }
  }
//#if CLIP
  sum = clamp(sum, vec3f(0.0), vec3f(1.0));
//#end
  y[3u * index] = sum.x;
  y[3u * index + 1u] = sum.y;
  y[3u * index + 2u] = sum.z;
}
