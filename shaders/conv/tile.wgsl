// Contraction over taps and channels, the one kernel behind matmul, convolution and its input gradient:
//
//   out[row, :] = Σ_th Σ_tw Σ_c  x[image, i·stride_h + th·step_h + offset_h, j·stride_w + tw·step_w + offset_w, c]
//                                · weight[kh0 + th·kernel_step_h, kw0 + tw·kernel_step_w, c, :]
//
// with row = (image·grid_height + i)·grid_width + j, and zeros for positions of x outside the picture.
// Layouts: x [images, in_height, in_width, C], weight [kernel_height, kernel_width, C, O], C and O multiples of 4.
// A row is written at its own number, or, with SCATTER, at
//   out[image, i·out_stride_h + out_h0, j·out_stride_w + out_w0, :]   of a picture out_height x out_width.
// Entry group.z of a batch has an x, a weight and an out of its own, so many vec4s after those of the entry before.
//
// Before it is written, a row s goes through what follows it in a network, each step where its constant says so:
//   BIAS: s + bias    NORM: scale · (s − mean) · inverse + shift
//   ACTIVATION: none, relu: max(s, 0), relu6: min(max(s, 0), 6)
// bias, scale, shift: [O], moments: [2, O] = (mean, inverse), the operations in the order of norm/apply.wgsl. What
// is loaded here is one number per column: loads for each row (a residual) would take longer than a pass of their own.
//
// One workgroup makes ROWS rows by LANES·COLUMNS vec4 columns; invocation l owns the columns l, l + LANES, …
// With BROADCAST the workgroup is one subgroup: each row of x is loaded by one lane and broadcast from there, because
// loads, not multiplications, are what a software adapter pays for. Without, every invocation loads every row.
//
// LANES: invocations; the adapter's subgroup size with BROADCAST.   COLUMNS: vec4 columns per invocation, 1..4.
// ROW_LANES: LANES with BROADCAST, else 1.   GROUPS: ROWS / ROW_LANES.
// BIAS, NORM, SCATTER, BROADCAST: true or false.   LOOP: rows are written by a loop, not by lines for each. Compilers of software
// adapters take a quarter of the time then; GPUs would have to lay the sums down in memory.
//#if BROADCAST
enable subgroups;
//#end

//#use conv/contraction

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
//#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
//#end
//#if NORM
@group(0) @binding(4) var<storage, read> moments: array<vec4f>;
@group(0) @binding(5) var<storage, read> scale: array<vec4f>;
@group(0) @binding(6) var<storage, read> shift: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;
const ROWS = {{GROUPS}}u * ROW_LANES;

// A vec4 column, and what its sums go through.
struct After {
  column: u32,
  //#if BIAS
  bias: vec4f,
  //#end
  //#if NORM
  mean: vec4f,
  slope: vec4f,
  shift: vec4f,
  //#end
}

fn write(row: u32, entry: u32, sum: vec4f, after: After) {
  if (after.column >= params.columns4) {
    return;
  }
  var value = sum;
  //#if BIAS
  value += after.bias;
  //#end
  //#if NORM
  value = fma(value - after.mean, after.slope, after.shift);
  //#end
  out[entry * params.out_entry + written_at(row) + after.column] = activated(value);
}

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.y * ROWS;
  let columns4 = params.columns4;
  //#for v in 0..COLUMNS
  let column_{{v}} = (group.x * {{COLUMNS}}u + {{v}}u) * LANES + lane;
  let load_column_{{v}} = min(column_{{v}}, columns4 - 1u);
  //#end
  //#for g in 0..GROUPS
  //#if BROADCAST
  let row_{{g}} = min(row0 + {{g}}u * ROW_LANES + lane, params.rows - 1u);
  //#else
  let row_{{g}} = min(row0 + {{g}}u, params.rows - 1u);
  //#end
  let line_{{g}} = row_{{g}} / params.grid_width;
  let image_{{g}} = line_{{g}} / params.grid_height;
  let h_{{g}} = i32((line_{{g}} - image_{{g}} * params.grid_height) * params.stride_h) + params.offset_h;
  let w_{{g}} = i32((row_{{g}} - line_{{g}} * params.grid_width) * params.stride_w) + params.offset_w;
  //#for l in 0..ROW_LANES
  //#for v in 0..COLUMNS
  var sum_{{g}}_{{l}}_{{v}} = vec4f();
  //#end
  //#end
  //#end

  for (var th = 0u; th < params.taps_h; th++) {
    for (var tw = 0u; tw < params.taps_w; tw++) {
      //#for g in 0..GROUPS
      let ih_{{g}} = u32(h_{{g}} + i32(th) * params.step_h);
      let iw_{{g}} = u32(w_{{g}} + i32(tw) * params.step_w);
      let inside_{{g}} = ih_{{g}} < params.in_height && iw_{{g}} < params.in_width;
      let base_{{g}} = group.z * params.x_entry + select(0u, ((image_{{g}} * params.in_height + ih_{{g}}) * params.in_width + iw_{{g}}) * params.pixel4, inside_{{g}});
      //#end
      let tap = (params.kernel_h0 + th * params.kernel_step_h) * params.kernel_width + params.kernel_w0 + tw * params.kernel_step_w;
      var weight_row = group.z * params.weight_entry + tap * params.channels4 * 4u * columns4;
      for (var c = 0u; c < params.channels4; c++) {
        //#for g in 0..GROUPS
        let x_{{g}} = select(vec4f(), x[base_{{g}} + c], inside_{{g}});
        //#end
        //#for v in 0..COLUMNS
        let b0_{{v}} = weight[weight_row + load_column_{{v}}];
        let b1_{{v}} = weight[weight_row + columns4 + load_column_{{v}}];
        let b2_{{v}} = weight[weight_row + 2u * columns4 + load_column_{{v}}];
        let b3_{{v}} = weight[weight_row + 3u * columns4 + load_column_{{v}}];
        //#end
        //#for g in 0..GROUPS
        //#for l in 0..ROW_LANES
        //#if BROADCAST
        let a_{{g}}_{{l}} = subgroupBroadcast(x_{{g}}, {{l}}u);
        //#else
        let a_{{g}}_{{l}} = x_{{g}};
        //#end
        //#for v in 0..COLUMNS
        sum_{{g}}_{{l}}_{{v}} = fma(vec4f(a_{{g}}_{{l}}.w), b3_{{v}}, fma(vec4f(a_{{g}}_{{l}}.z), b2_{{v}},
          fma(vec4f(a_{{g}}_{{l}}.y), b1_{{v}}, fma(vec4f(a_{{g}}_{{l}}.x), b0_{{v}}, sum_{{g}}_{{l}}_{{v}}))));
        //#end
        //#end
        //#end
        weight_row += 4u * columns4;
      }
    }
  }

  //#for v in 0..COLUMNS
  var after_{{v}} = After();
  after_{{v}}.column = column_{{v}};
  //#if BIAS
  after_{{v}}.bias = bias[load_column_{{v}}];
  //#end
  //#if NORM
  after_{{v}}.mean = moments[load_column_{{v}}];
  after_{{v}}.slope = moments[columns4 + load_column_{{v}}] * scale[load_column_{{v}}];
  after_{{v}}.shift = shift[load_column_{{v}}];
  //#end
  //#end
  //#if LOOP
  //#for v in 0..COLUMNS
  var sums_{{v}} = array<vec4f, ROWS>(
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    sum_{{g}}_{{l}}_{{v}},
    //#end
    //#end
  );
  //#end
  let rows = min(ROWS, params.rows - row0);
  // One, as compilers cannot know: they would make lines for each row of a loop whose steps they know.
  let one = min(params.rows, 1u);
  for (var r = 0u; r < rows; r += one) {
    //#for v in 0..COLUMNS
    write(row0 + r, group.z, sums_{{v}}[r], after_{{v}});
    //#end
  }
  //#else
  //#for g in 0..GROUPS
  //#for l in 0..ROW_LANES
  if (row0 + {{g}}u * ROW_LANES + {{l}}u < params.rows) {
    //#for v in 0..COLUMNS
    write(row0 + {{g}}u * ROW_LANES + {{l}}u, group.z, sum_{{g}}_{{l}}_{{v}}, after_{{v}});
    //#end
  }
  //#end
  //#end
  //#end
}
