// The contraction of conv/tile.wgsl with tiles in workgroup memory, for adapters on which that is fast: same arguments, same
// order of additions, hence the same bits.
//
// One workgroup of THREADS_X · THREADS_Y invocations makes THREADS_Y · ROWS rows by THREADS_X · COLUMNS vec4 columns.
// It walks taps and DEPTH vec4s of channels at a time: all invocations bring the rows of x and of the weight that the tile
// needs into workgroup memory, then each adds the products of its ROWS rows and COLUMNS vec4 columns to its registers.
// Invocation (u, v) owns the rows v, v + THREADS_Y, … and the columns u, u + THREADS_X, … of the tile. While the products of one
// slice are added, the next one is on its way: compilers leave its loads before them only where no loop is between, hence COPIES.
//
// THREADS: THREADS_X · THREADS_Y, at most the adapter's invocations, and a multiple of DEPTH and of THREADS_X·COLUMNS.
// ROWS, COLUMNS: 1..8 and 1..4.   DEPTH: vec4s of channels per turn.   X_LOADS: THREADS_Y·ROWS·DEPTH / THREADS, whole.
// WEIGHT_LOADS: 4·DEPTH·THREADS_X·COLUMNS / THREADS, whole.   COPIES: DEPTH, or 1 where compilers are slow: a loop.
// BIAS, NORM, ACTIVATION, SCATTER: as there.
// Workgroup memory: 16 · DEPTH · (THREADS_Y·ROWS + 4·THREADS_X·COLUMNS) bytes.
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

const THREADS_X = {{THREADS_X}}u;
const THREADS_Y = {{THREADS_Y}}u;
const THREADS = THREADS_X * THREADS_Y;
const TILE_ROWS = THREADS_Y * {{ROWS}}u;
const TILE_COLUMNS = THREADS_X * {{COLUMNS}}u;
const DEPTH = {{DEPTH}}u;
// Rows of x and rows of the weight that all invocations load at once.
const X_ROWS = THREADS / DEPTH;
const WEIGHT_ROWS = THREADS / TILE_COLUMNS;

var<workgroup> x_tile: array<vec4f, TILE_ROWS * DEPTH>;
var<workgroup> weight_tile: array<vec4f, 4 * DEPTH * TILE_COLUMNS>;

@compute @workgroup_size({{THREADS}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.y * TILE_ROWS;
  let column0 = group.x * TILE_COLUMNS;
  let columns4 = params.columns4;
  let channels4 = params.channels4;
  let own_column = lane % THREADS_X;
  let own_row = lane / THREADS_X;
  // What this invocation brings in: vec4 `depth` of rows of x, and of rows of the weight the vec4 column `column`.
  let depth = lane % DEPTH;
  //#for i in 0..X_LOADS
  let row_{{i}} = min(row0 + lane / DEPTH + {{i}}u * X_ROWS, params.rows - 1u);
  let line_{{i}} = row_{{i}} / params.grid_width;
  let image_{{i}} = line_{{i}} / params.grid_height;
  let h_{{i}} = i32((line_{{i}} - image_{{i}} * params.grid_height) * params.stride_h) + params.offset_h;
  let w_{{i}} = i32((row_{{i}} - line_{{i}} * params.grid_width) * params.stride_w) + params.offset_w;
  var inside_{{i}} = false;
  var at_{{i}} = 0u;
  //#end
  let column = min(column0 + lane % TILE_COLUMNS, columns4 - 1u);
  var weight_at = 0u;
  //#for r in 0..ROWS
  //#for v in 0..COLUMNS
  var sum_{{r}}_{{v}} = vec4f();
  //#end
  //#end

  // A turn brings slice number `slice`, and adds the products of the one before. Turn 0 has none to add.
  let slices = params.taps_h * params.taps_w * ((channels4 + DEPTH - 1u) / DEPTH);
  var th = 0u;
  var tw = 0u;
  var c0 = 0u;
  //#for turn in 0..2
  //#if turn == 1
  for (var slice = 1u; slice <= slices; slice++) {
  //#else
  {
  //#end
    if (c0 == 0u) {
      //#for i in 0..X_LOADS
      let ih_{{i}} = u32(h_{{i}} + i32(th) * params.step_h);
      let iw_{{i}} = u32(w_{{i}} + i32(tw) * params.step_w);
      inside_{{i}} = ih_{{i}} < params.in_height && iw_{{i}} < params.in_width;
      at_{{i}} = depth + group.z * params.x_entry + ((image_{{i}} * params.in_height + ih_{{i}}) * params.in_width + iw_{{i}}) * params.pixel4;
      //#end
      let tap = (params.kernel_h0 + th * params.kernel_step_h) * params.kernel_width + params.kernel_w0 + tw * params.kernel_step_w;
      weight_at = group.z * params.weight_entry + (tap * channels4 * 4u + lane / TILE_COLUMNS) * columns4 + column;
    }
    // Asked for before the products of the slice before are added, used after. What lies outside is not used.
    //#for i in 0..X_LOADS
    let next_x_{{i}} = x[at_{{i}}];
    at_{{i}} += DEPTH;
    //#end
    //#for i in 0..WEIGHT_LOADS
    let next_weight_{{i}} = weight[weight_at];
    weight_at += WEIGHT_ROWS * columns4;
    //#end
    //#if turn == 1
    //#if COPIES == 1
    for (var d = 0u; d < DEPTH; d++) {
    //#else
    {
    //#end
      //#for i in 0..COPIES
      {
        //#if COPIES != 1
        let d = {{i}}u;
        //#end
        //#for v in 0..COLUMNS
        let b0_{{v}} = weight_tile[(4u * d) * TILE_COLUMNS + {{v}}u * THREADS_X + own_column];
        let b1_{{v}} = weight_tile[(4u * d + 1u) * TILE_COLUMNS + {{v}}u * THREADS_X + own_column];
        let b2_{{v}} = weight_tile[(4u * d + 2u) * TILE_COLUMNS + {{v}}u * THREADS_X + own_column];
        let b3_{{v}} = weight_tile[(4u * d + 3u) * TILE_COLUMNS + {{v}}u * THREADS_X + own_column];
        //#end
        //#for r in 0..ROWS
        let a_{{r}} = x_tile[({{r}}u * THREADS_Y + own_row) * DEPTH + d];
        //#for v in 0..COLUMNS
        sum_{{r}}_{{v}} = fma(vec4f(a_{{r}}.w), b3_{{v}}, fma(vec4f(a_{{r}}.z), b2_{{v}},
          fma(vec4f(a_{{r}}.y), b1_{{v}}, fma(vec4f(a_{{r}}.x), b0_{{v}}, sum_{{r}}_{{v}}))));
        //#end
        //#end
      }
      //#end
    }
    //#end
    workgroupBarrier();
    // Channels beyond the last are zeros.
    let deep = c0 + depth < channels4;
    //#for i in 0..X_LOADS
    x_tile[lane + {{i}}u * THREADS] = select(vec4f(), next_x_{{i}}, inside_{{i}} & deep);
    //#end
    //#for i in 0..WEIGHT_LOADS
    weight_tile[lane + {{i}}u * THREADS] = select(vec4f(), next_weight_{{i}}, 4u * c0 + lane / TILE_COLUMNS + {{i}}u * WEIGHT_ROWS < 4u * channels4);
    //#end
    workgroupBarrier();
    c0 += DEPTH;
    if (c0 >= channels4) {
      c0 = 0u;
      tw++;
      if (tw == params.taps_w) {
        tw = 0u;
        th++;
      }
    }
  }
  //#end

  //#for v in 0..COLUMNS
  let column_{{v}} = column0 + {{v}}u * THREADS_X + own_column;
  let load_column_{{v}} = min(column_{{v}}, columns4 - 1u);
  //#if BIAS
  let bias_{{v}} = bias[load_column_{{v}}];
  //#end
  //#if NORM
  let mean_{{v}} = moments[load_column_{{v}}];
  let slope_{{v}} = moments[columns4 + load_column_{{v}}] * scale[load_column_{{v}}];
  let shift_{{v}} = shift[load_column_{{v}}];
  //#end
  //#end
  //#for r in 0..ROWS
  {
    let row = row0 + {{r}}u * THREADS_Y + own_row;
    if (row < params.rows) {
      let target_row = group.z * params.out_entry + written_at(row);
      //#for v in 0..COLUMNS
      if (column_{{v}} < columns4) {
        var value = sum_{{r}}_{{v}};
        //#if BIAS
        value += bias_{{v}};
        //#end
        //#if NORM
        value = fma(value - mean_{{v}}, slope_{{v}}, shift_{{v}});
        //#end
        out[target_row + column_{{v}}] = activated(value);
      }
      //#end
    }
  }
  //#end
}
