// Gradient of a contraction with respect to its weight with tiles in workgroup memory, for adapters on which that is fast: the
// arguments of conv/weight_gradient.wgsl, the same order of additions, hence the same bits.
//
// One workgroup of THREADS_X · THREADS_Y invocations makes THREADS_Y · ROWS4 vec4s of rows (kw, c) by THREADS_X · COLUMNS vec4
// columns o, for kh and part by group.z. It walks the positions of its lines, POSITIONS of a line at a time: all invocations
// bring what the tile needs of x and dy into workgroup memory, then each adds the products of its ROWS4 and COLUMNS vec4s.
// Invocation (u, v) owns the rows v, v + THREADS_Y, … and the columns u, u + THREADS_X, … of the tile. While the products of one
// slice are added, the next one is on its way.
//
// THREADS: THREADS_X · THREADS_Y, at most the adapter's invocations, and a multiple of THREADS_Y·ROWS4 and THREADS_X·COLUMNS.
// ROWS4, COLUMNS: 1..4.   POSITIONS: of a slice.   X_LOADS: POSITIONS·THREADS_Y·ROWS4 / THREADS, whole.
// DY_LOADS: POSITIONS·THREADS_X·COLUMNS / THREADS, whole.
// Workgroup memory: 16 · POSITIONS · (THREADS_Y·ROWS4 + THREADS_X·COLUMNS) bytes.
//#use conv/weight_gradient_params

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

const THREADS_X = {{THREADS_X}}u;
const THREADS_Y = {{THREADS_Y}}u;
const THREADS = THREADS_X * THREADS_Y;
const TILE_ROWS4 = THREADS_Y * {{ROWS4}}u;
const TILE_COLUMNS = THREADS_X * {{COLUMNS}}u;
const POSITIONS = {{POSITIONS}}u;

var<workgroup> x_tile: array<vec4f, POSITIONS * TILE_ROWS4>;
var<workgroup> dy_tile: array<vec4f, POSITIONS * TILE_COLUMNS>;

@compute @workgroup_size({{THREADS}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let columns4 = params.columns4;
  let channels4 = params.channels4;
  let rows4 = params.kernel_width * channels4;
  let part = group.z / params.kernel_height;
  let kh = group.z - part * params.kernel_height;
  let row0 = group.y * TILE_ROWS4;
  let column0 = group.x * TILE_COLUMNS;
  let own_column = lane % THREADS_X;
  let own_row = lane / THREADS_X;
  // What this invocation brings in: a row of x and a column of dy.
  let row = min(row0 + lane % TILE_ROWS4, rows4 - 1u);
  let kw = row / channels4;
  let channel = row - kw * channels4;
  let column = min(column0 + lane % TILE_COLUMNS, columns4 - 1u);
  //#for g in 0..ROWS4
  //#for q in 0..4
  //#for v in 0..COLUMNS
  var sum_{{g}}_{{q}}_{{v}} = vec4f();
  //#end
  //#end
  //#end

  let first_line = part * params.lines_per_part;
  let last_line = min(first_line + params.lines_per_part, params.images * params.out_height);
  var image = first_line / params.out_height;
  var i = first_line - image * params.out_height;
  var line = first_line;
  var j0 = 0u;
  var brought = false;
  var x_line = 0u;
  // A turn brings a slice of a line, if there is one left, and adds the products of the one before. Turn 0 has none to add.
  //#for turn in 0..2
  //#if turn == 1
  while (brought) {
  //#else
  {
  //#end
    if (j0 == 0u) {
      // The next line that has one of x under it.
      while (line < last_line) {
        let h = u32(i32(i * params.stride_h + kh * params.dilation_h) - params.pad_h);
        x_line = (image * params.in_height + h) * params.in_width;
        if (h < params.in_height) {
          break;
        }
        line++;
        i++;
        if (i == params.out_height) {
          i = 0u;
          image++;
        }
      }
    }
    // Asked for before the products of the slice before are added, used after. What lies outside is not used.
    //#for n in 0..X_LOADS
    let j_{{n}} = j0 + lane / TILE_ROWS4 + {{n}}u * (THREADS / TILE_ROWS4);
    let w_{{n}} = u32(i32(j_{{n}} * params.stride_w + kw * params.dilation_w) - params.pad_w);
    let next_x_{{n}} = x[(x_line + w_{{n}}) * channels4 + channel];
    //#end
    //#for n in 0..DY_LOADS
    let dy_j_{{n}} = min(j0 + lane / TILE_COLUMNS + {{n}}u * (THREADS / TILE_COLUMNS), params.out_width - 1u);
    let next_dy_{{n}} = dy[(line * params.out_width + dy_j_{{n}}) * columns4 + column];
    //#end
    //#if turn == 1
    //#for p in 0..POSITIONS
    {
      //#for v in 0..COLUMNS
      let d_{{v}} = dy_tile[{{p}}u * TILE_COLUMNS + {{v}}u * THREADS_X + own_column];
      //#end
      //#for g in 0..ROWS4
      let a_{{g}} = x_tile[{{p}}u * TILE_ROWS4 + {{g}}u * THREADS_Y + own_row];
      //#for v in 0..COLUMNS
      sum_{{g}}_0_{{v}} = fma(vec4f(a_{{g}}.x), d_{{v}}, sum_{{g}}_0_{{v}});
      sum_{{g}}_1_{{v}} = fma(vec4f(a_{{g}}.y), d_{{v}}, sum_{{g}}_1_{{v}});
      sum_{{g}}_2_{{v}} = fma(vec4f(a_{{g}}.z), d_{{v}}, sum_{{g}}_2_{{v}});
      sum_{{g}}_3_{{v}} = fma(vec4f(a_{{g}}.w), d_{{v}}, sum_{{g}}_3_{{v}});
      //#end
      //#end
    }
    //#end
    //#end
    workgroupBarrier();
    //#for n in 0..X_LOADS
    x_tile[lane + {{n}}u * THREADS] = select(vec4f(), next_x_{{n}}, (w_{{n}} < params.in_width) & (j_{{n}} < params.out_width));
    //#end
    //#for n in 0..DY_LOADS
    dy_tile[lane + {{n}}u * THREADS] = next_dy_{{n}};
    //#end
    workgroupBarrier();
    brought = line < last_line;
    j0 += POSITIONS;
    if (j0 >= params.out_width) {
      j0 = 0u;
      line++;
      i++;
      if (i == params.out_height) {
        i = 0u;
        image++;
      }
    }
  }
  //#end

  let slab = ((params.first_part + part) * params.kernel_height + kh) * rows4 * 4u;
  //#for g in 0..ROWS4
  if (row0 + {{g}}u * THREADS_Y + own_row < rows4) {
    let own = slab + (row0 + {{g}}u * THREADS_Y + own_row) * 4u;
    //#for v in 0..COLUMNS
    if (column0 + {{v}}u * THREADS_X + own_column < columns4) {
      //#for q in 0..4
      out[(own + {{q}}u) * columns4 + column0 + {{v}}u * THREADS_X + own_column] = sum_{{g}}_{{q}}_{{v}};
      //#end
    }
    //#end
  }
  //#end
}
