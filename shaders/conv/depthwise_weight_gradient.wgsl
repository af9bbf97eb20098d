// Weight gradient of conv/depthwise.wgsl, for one part of the output's lines (n, i):
//   parts[first_part + part, kh, kw, c] = Σ_(n, i) Σ_j x[n, i·stride_h + kh − pad_h, j·STRIDE_W + kw − pad_w, c] · dy[n, i, j, c]
// The parts are added afterwards in a fixed order (reduce/axis.wgsl).
//
// One invocation makes the taps of one kh of one Element (a vec4 of channels with VECTOR, when C is a multiple of 4) of one
// part. It takes COLUMNS positions j at a time, so that an Element of x and one of dy each serve KERNEL_W taps.
// KERNEL_W: width of the kernel.   STRIDE_W, COLUMNS: from 1.   INPUT_COLUMNS: (COLUMNS − 1)·STRIDE_W + KERNEL_W.
// VECTOR: true or false.   WORKGROUP: invocations of a workgroup.
// Layouts: x [images, in_height, in_width, C], dy [images, out_height, out_width, C].
struct Params {
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  kernel_h: u32,
  stride_h: u32,
  pad_h: u32,
  pad_w: i32,
  lines: u32, // of all images of this call
  lines_per_part: u32,
  first_part: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> parts: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let tap_line = index / params.channels;
  let c = index - tap_line * params.channels;
  let part = tap_line / params.kernel_h;
  let kh = tap_line - part * params.kernel_h;
  let first = part * params.lines_per_part;
  if (first >= params.lines) {
    return;
  }
  //#for q in 0..KERNEL_W
  var sum_{{q}} = Element();
  //#end
  var row: array<Element, {{INPUT_COLUMNS}}>;
  let end = min(first + params.lines_per_part, params.lines);
  for (var line = first; line < end; line++) {
    let image = line / params.out_height;
    let h = (line - image * params.out_height) * params.stride_h + kh - params.pad_h; // wraps to a large number below 0
    if (h < params.in_height) {
      let x_line = (image * params.in_height + h) * params.in_width;
      for (var j = 0u; j < params.out_width; j += {{COLUMNS}}u) {
        let left = i32(j * {{STRIDE_W}}u) - params.pad_w;
        //#for u in 0..INPUT_COLUMNS
        {
          let w = u32(left + {{u}});
          let inside = w < params.in_width;
          row[{{u}}] = select(Element(), x[select(0u, (x_line + w) * params.channels + c, inside)], inside);
        }
        //#end
        //#for s in 0..COLUMNS
        {
          let inside = j + {{s}}u < params.out_width;
          let at = select(0u, (line * params.out_width + j + {{s}}u) * params.channels + c, inside);
          let slope = select(Element(), dy[at], inside);
          //#for q in 0..KERNEL_W
          sum_{{q}} += row[{{s}}u * {{STRIDE_W}}u + {{q}}u] * slope;
          //#end
        }
        //#end
      }
    }
  }
  let out = ((params.first_part * params.kernel_h + tap_line) * {{KERNEL_W}}u) * params.channels + c;
  //#for q in 0..KERNEL_W
  parts[out + {{q}}u * params.channels] = sum_{{q}};
  //#end
}
