// The contraction of conv/tile.wgsl by subgroup matrices: same arguments, same result up to the order and the rounding of the
// sums. Operands are held as COMPONENT while they are multiplied, products are added up as SUM.
//
// One workgroup makes BLOCK_ROWS · BLOCK_COLUMNS blocks of ROWS · M rows by COLUMNS · N columns, each made by one subgroup out
// of ROWS · COLUMNS matrices M x N. It walks taps and DEPTH channels at a time: all invocations bring the rows of x and of
// the weight that the tile needs into workgroup memory (zeros beyond the edges), then each of the first BLOCKS subgroups
// multiplies M x K by K x N matrices from there. At the end the matrices go through workgroup memory, M rows of each block at
// a time, and all invocations apply what follows and write rows of vec4s.
//
// Subgroups may be of any size as long as there are BLOCKS of them in THREADS invocations.
//
// EMULATED: no matrices: every line with a matrix builtin is replaced by one with the same places in workgroup memory, where
// M · N invocations stand for a subgroup, and each holds one element of every matrix M x N.
//
// THREADS: a multiple of the adapter's largest subgroup size, at least BLOCKS times it.   M, N, K: multiples of 8.
// ROWS, COLUMNS: matrices of a block.   DEPTH: channels per turn, a multiple of K and of 4.
// X_LOADS, WEIGHT_LOADS: vec4s that an invocation brings in per turn: the tile's divided by THREADS, rounded up.
// COMPONENT, SUM: f16 or f32.   X_HALF, WEIGHT_HALF: whether x and weight lie in memory as f16.
// BIAS, NORM, ACTIVATION, SCATTER: as in conv/tile.wgsl.
// Workgroup memory: (BLOCK_ROWS·ROWS·M·(DEPTH + 8) + DEPTH·(BLOCK_COLUMNS·COLUMNS·N + 8)) components, BLOCKS·M·COLUMNS·N sums.
//#if HALF
enable f16;
//#end
//#if !EMULATED
enable subgroups;
enable chromium_experimental_subgroup_matrix;
//#end

//#use conv/contraction

//#if X_HALF
alias XElement = vec4h;
//#else
alias XElement = vec4f;
//#end
//#if WEIGHT_HALF
alias WeightElement = vec4h;
//#else
alias WeightElement = vec4f;
//#end

@group(0) @binding(0) var<storage, read> x: array<XElement>;
@group(0) @binding(1) var<storage, read> weight: array<WeightElement>;
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

const THREADS = {{THREADS}}u;
const M = {{M}}u;
const N = {{N}}u;
const K = {{K}}u;
const BLOCK_COLUMNS = {{BLOCK_COLUMNS}}u;
const BLOCKS = {{BLOCK_ROWS}}u * BLOCK_COLUMNS;
const TILE_ROWS = {{BLOCK_ROWS}}u * {{ROWS}}u * M;
const TILE_COLUMNS = BLOCK_COLUMNS * {{COLUMNS}}u * N;
const TILE_COLUMNS4 = TILE_COLUMNS / 4u;
const DEPTH = {{DEPTH}}u;
const DEPTH4 = DEPTH / 4u;
const BLOCK_WIDTH = {{COLUMNS}}u * N;
const BLOCK_WIDTH4 = BLOCK_WIDTH / 4u;
// Rows in workgroup memory start 16 bytes further along the banks than the one before.
const X_STRIDE = DEPTH + 8u;
const WEIGHT_STRIDE = TILE_COLUMNS + 8u;

alias Component = {{COMPONENT}};
alias Sum = {{SUM}};

var<workgroup> x_tile: array<Component, TILE_ROWS * X_STRIDE>;
var<workgroup> weight_tile: array<Component, DEPTH * WEIGHT_STRIDE>;
var<workgroup> sum_tile: array<Sum, BLOCKS * M * BLOCK_WIDTH>;

//#if EMULATED
/// The bound of a loop, as compilers cannot know it (there is a row): some unroll such loops and then compile for minutes.
fn unknown(bound: u32) -> u32 {
  return bound * min(params.rows, 1u);
}

/// sum + left · right at one element of a matrix M x N.
fn accumulated(left: u32, right: u32, element: u32, sum: Sum) -> Sum {
  let left_row = left + element / N * X_STRIDE;
  let right_column = right + element % N;
  var value = sum;
  for (var k = 0u; k < unknown(K); k++) {
    value = fma(Sum(x_tile[left_row + k]), Sum(weight_tile[right_column + k * WEIGHT_STRIDE]), value);
  }
  return value;
}
//#else
alias Left = subgroup_matrix_left<{{COMPONENT}}, {{K}}, {{M}}>;
alias Right = subgroup_matrix_right<{{COMPONENT}}, {{N}}, {{K}}>;
alias Result = subgroup_matrix_result<{{SUM}}, {{N}}, {{M}}>;
//#end

@compute @workgroup_size({{THREADS}})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  //#if !EMULATED
  @builtin(subgroup_id) block: u32,
  //#end
) {
  //#if EMULATED
  let block = lane / (M * N);
  let member = lane % (M * N);
  //#end
  let row0 = group.y * TILE_ROWS;
  let column0 = group.x * TILE_COLUMNS4;
  let columns4 = params.columns4;
  let channels4 = params.channels4;
  // Where the rows of x lie that this invocation brings in: number p of them is row p / DEPTH4 of the tile, vec4 p % DEPTH4.
  //#for i in 0..X_LOADS
  let place_{{i}} = lane + {{i}}u * THREADS;
  let tile_row_{{i}} = place_{{i}} / DEPTH4;
  let depth_{{i}} = place_{{i}} % DEPTH4;
  let row_{{i}} = min(row0 + tile_row_{{i}}, params.rows - 1u);
  let line_{{i}} = row_{{i}} / params.grid_width;
  let image_{{i}} = line_{{i}} / params.grid_height;
  let h_{{i}} = i32((line_{{i}} - image_{{i}} * params.grid_height) * params.stride_h) + params.offset_h;
  let w_{{i}} = i32((row_{{i}} - line_{{i}} * params.grid_width) * params.stride_w) + params.offset_w;
  //#end
  //#for i in 0..ROWS
  //#for j in 0..COLUMNS
  //#if EMULATED
  var sum_{{i}}_{{j}} = Sum();
  //#else
  var sum_{{i}}_{{j}} = Result();
  //#end
  //#end
  //#end

  for (var th = 0u; th < params.taps_h; th++) {
    for (var tw = 0u; tw < params.taps_w; tw++) {
      //#for i in 0..X_LOADS
      let ih_{{i}} = u32(h_{{i}} + i32(th) * params.step_h);
      let iw_{{i}} = u32(w_{{i}} + i32(tw) * params.step_w);
      let inside_{{i}} = place_{{i}} < TILE_ROWS * DEPTH4 && ih_{{i}} < params.in_height && iw_{{i}} < params.in_width;
      let base_{{i}} = ((image_{{i}} * params.in_height + ih_{{i}}) * params.in_width + iw_{{i}}) * params.pixel4;
      //#end
      let tap = (params.kernel_h0 + th * params.kernel_step_h) * params.kernel_width + params.kernel_w0 + tw * params.kernel_step_w;
      let weight_base = tap * channels4 * 4u * columns4;
      for (var c0 = 0u; c0 < channels4; c0 += DEPTH4) {
        //#for i in 0..X_LOADS
        if (place_{{i}} < TILE_ROWS * DEPTH4) {
          let c = c0 + depth_{{i}};
          var value = vec4<Component>();
          if (inside_{{i}} && c < channels4) {
            value = vec4<Component>(x[base_{{i}} + c]);
          }
          let at = tile_row_{{i}} * X_STRIDE + 4u * depth_{{i}};
          x_tile[at] = value.x;
          x_tile[at + 1u] = value.y;
          x_tile[at + 2u] = value.z;
          x_tile[at + 3u] = value.w;
        }
        //#end
        //#for i in 0..WEIGHT_LOADS
        {
          let d = (lane + {{i}}u * THREADS) / TILE_COLUMNS4;
          let v = (lane + {{i}}u * THREADS) % TILE_COLUMNS4;
          if (d < DEPTH) {
            let c = 4u * c0 + d;
            let column = column0 + v;
            var value = vec4<Component>();
            if (c < 4u * channels4 && column < columns4) {
              value = vec4<Component>(weight[weight_base + c * columns4 + column]);
            }
            let at = d * WEIGHT_STRIDE + 4u * v;
            weight_tile[at] = value.x;
            weight_tile[at + 1u] = value.y;
            weight_tile[at + 2u] = value.z;
            weight_tile[at + 3u] = value.w;
          }
        }
        //#end
        workgroupBarrier();
        if (block < BLOCKS) {
          let left_at = (block / BLOCK_COLUMNS) * {{ROWS}}u * M * X_STRIDE;
          let right_at = (block % BLOCK_COLUMNS) * BLOCK_WIDTH;
          //#if EMULATED
          let end = unknown(DEPTH);
          //#else
          let end = DEPTH;
          //#end
          for (var k = 0u; k < end; k += K) {
            //#for i in 0..ROWS
            let left_at_{{i}} = left_at + {{i}}u * M * X_STRIDE + k;
            //#if EMULATED
            let left_{{i}} = left_at_{{i}};
            //#else
            let left_{{i}} = subgroupMatrixLoad<Left, row_major>(&x_tile, left_at_{{i}}, X_STRIDE);
            //#end
            //#end
            //#for j in 0..COLUMNS
            let right_at_{{j}} = right_at + k * WEIGHT_STRIDE + {{j}}u * N;
            //#if EMULATED
            let right_{{j}} = right_at_{{j}};
            //#else
            let right_{{j}} = subgroupMatrixLoad<Right, row_major>(&weight_tile, right_at_{{j}}, WEIGHT_STRIDE);
            //#end
            //#end
            //#for i in 0..ROWS
            //#for j in 0..COLUMNS
            //#if EMULATED
            sum_{{i}}_{{j}} = accumulated(left_{{i}}, right_{{j}}, member, sum_{{i}}_{{j}});
            //#else
            sum_{{i}}_{{j}} = subgroupMatrixMultiplyAccumulate(left_{{i}}, right_{{j}}, sum_{{i}}_{{j}});
            //#end
            //#end
            //#end
          }
        }
        workgroupBarrier();
      }
    }
  }

  //#for i in 0..ROWS
  if (block < BLOCKS) {
    //#for j in 0..COLUMNS
    let sum_at_{{j}} = block * M * BLOCK_WIDTH + {{j}}u * N;
    //#if EMULATED
    sum_tile[sum_at_{{j}} + member / N * BLOCK_WIDTH + member % N] = sum_{{i}}_{{j}};
    //#else
    subgroupMatrixStore<row_major>(&sum_tile, sum_at_{{j}}, sum_{{i}}_{{j}}, BLOCK_WIDTH);
    //#end
    //#end
  }
  workgroupBarrier();
  finish(lane, row0 + {{i}}u * M, column0);
  workgroupBarrier();
  //#end
}

/// Writes the rows in `sum_tile` to `out`, through what follows them; row0: the first row of the first block.
fn finish(lane: u32, row0: u32, column0: u32) {
  let columns4 = params.columns4;
  for (var place = lane; place < BLOCKS * M * BLOCK_WIDTH4; place += THREADS) {
    let line_in_blocks = place / BLOCK_WIDTH4;
    let block = line_in_blocks / M;
    let row = row0 + (block / BLOCK_COLUMNS) * {{ROWS}}u * M + line_in_blocks % M;
    let column = column0 + (block % BLOCK_COLUMNS) * BLOCK_WIDTH4 + place % BLOCK_WIDTH4;
    if (row < params.rows && column < columns4) {
      let at = 4u * place;
      var value = vec4f(vec4<Sum>(sum_tile[at], sum_tile[at + 1u], sum_tile[at + 2u], sum_tile[at + 3u]));
      //#if BIAS
      value += bias[column];
      //#end
      //#if NORM
      value = fma(value - moments[column], moments[columns4 + column] * scale[column], shift[column]);
      //#end
      out[written_at(row) + column] = activated(value);
    }
  }
}
