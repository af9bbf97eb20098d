// Gradient of a contraction (conv/tile.wgsl) with respect to its weight, for one part of the images:
//
//   out[first_part + part, kh, kw, c, o] = Σ_image Σ_i Σ_j  x[image, i·stride_h + kh·dilation_h − pad_h, j·stride_w + kw·dilation_w − pad_w, c] · dy[image, i, j, o]
//
// over the lines (image, i) of this part; the parts are summed afterwards in a fixed order (reduce/axis.wgsl).
// Layouts: x [images, in_height, in_width, C], dy [images, out_height, out_width, O], C and O multiples of 4.
//
// One workgroup makes 4·ROW_LANES·GROUPS rows (kw, c) by LANES·COLUMNS vec4 columns o, for kh and part by group.z. The
// rows of one kh are contiguous in x as they are in the weight, so few channels still fill the tile. With BROADCAST the
// workgroup is one subgroup and lane l loads rows 4l..4l+3 of a position; without, every invocation loads them.
// POSITIONS positions j are taken at a time, so that an accumulator is fetched and stored once for as many products. Each
// number of x is broadcast where it is used: more of them alive at once would be more than registers hold.
//
// LANES, COLUMNS, BROADCAST: as in conv/tile.wgsl.   ROW_LANES: up to LANES with BROADCAST, else 1.
// LOOP: as in conv/tile.wgsl.   GROUPS: blocks of 4·ROW_LANES rows, 1..8.   POSITIONS: 1..8, more only makes the code longer.
//#if BROADCAST
enable subgroups;
//#end

//#use conv/weight_gradient_params

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let columns4 = params.columns4;
  let channels4 = params.channels4;
  let rows4 = params.kernel_width * channels4;
  let part = group.z / params.kernel_height;
  let kh = group.z - part * params.kernel_height;
  let row0 = group.y * ROW_LANES * {{GROUPS}}u;
  //#for v in 0..COLUMNS
  let column_{{v}} = (group.x * {{COLUMNS}}u + {{v}}u) * LANES + lane;
  let load_column_{{v}} = min(column_{{v}}, columns4 - 1u);
  //#end
  //#for g in 0..GROUPS
  //#if BROADCAST
  let row_{{g}} = min(row0 + {{g}}u * ROW_LANES + lane, rows4 - 1u);
  //#else
  let row_{{g}} = min(row0 + {{g}}u, rows4 - 1u);
  //#end
  let kw_{{g}} = row_{{g}} / channels4;
  let channel_{{g}} = row_{{g}} - kw_{{g}} * channels4;
  //#for l in 0..ROW_LANES
  //#for q in 0..4
  //#for v in 0..COLUMNS
  var sum_{{g}}_{{l}}_{{q}}_{{v}} = vec4f();
  //#end
  //#end
  //#end
  //#end

  let first_line = part * params.lines_per_part;
  let last_line = min(first_line + params.lines_per_part, params.images * params.out_height);
  for (var line = first_line; line < last_line; line++) {
    let image = line / params.out_height;
    let i = line - image * params.out_height;
    let h = u32(i32(i * params.stride_h + kh * params.dilation_h) - params.pad_h);
    if (h >= params.in_height) {
      continue;
    }
    let x_line = (image * params.in_height + h) * params.in_width;
    let dy_line = line * params.out_width;
    for (var j0 = 0u; j0 < params.out_width; j0 += {{POSITIONS}}u) {
      //#for p in 0..POSITIONS
      let j_{{p}} = min(j0 + {{p}}u, params.out_width - 1u);
      //#for g in 0..GROUPS
      let w_{{g}}_{{p}} = u32(i32(j_{{p}} * params.stride_w + kw_{{g}} * params.dilation_w) - params.pad_w);
      let inside_{{g}}_{{p}} = w_{{g}}_{{p}} < params.in_width && j0 + {{p}}u < params.out_width;
      let at_{{g}}_{{p}} = select(0u, (x_line + w_{{g}}_{{p}}) * channels4, inside_{{g}}_{{p}}) + channel_{{g}};
      let x_{{g}}_{{p}} = select(vec4f(), x[at_{{g}}_{{p}}], inside_{{g}}_{{p}});
      //#end
      //#for v in 0..COLUMNS
      let d_{{p}}_{{v}} = dy[(dy_line + j_{{p}}) * columns4 + load_column_{{v}}];
      //#end
      //#end
      //#for g in 0..GROUPS
      //#for l in 0..ROW_LANES
      //#for q in 0..4
      {
        //#for p in 0..POSITIONS
        //#if BROADCAST
        let a_{{p}} = vec4f(subgroupBroadcast(x_{{g}}_{{p}}[{{q}}], {{l}}u));
        //#else
        let a_{{p}} = vec4f(x_{{g}}_{{p}}[{{q}}]);
        //#end
        //#end
        //#for v in 0..COLUMNS
        var sum_{{v}} = sum_{{g}}_{{l}}_{{q}}_{{v}};
        //#for p in 0..POSITIONS
        sum_{{v}} = fma(a_{{p}}, d_{{p}}_{{v}}, sum_{{v}});
        //#end
        sum_{{g}}_{{l}}_{{q}}_{{v}} = sum_{{v}};
        //#end
      }
      //#end
      //#end
      //#end
    }
  }

  let slab = ((params.first_part + part) * params.kernel_height + kh) * rows4 * 4u;
  //#if LOOP
  //#for v in 0..COLUMNS
  var sums_{{v}} = array<vec4f, 4u * {{GROUPS}}u * ROW_LANES>(
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    //#for q in 0..4
    sum_{{g}}_{{l}}_{{q}}_{{v}},
    //#end
    //#end
    //#end
  );
  //#end
  let rows = 4u * min({{GROUPS}}u * ROW_LANES, rows4 - row0);
  // One, as compilers cannot know.
  let one = min(params.columns4, 1u);
  for (var r = 0u; r < rows; r += one) {
    //#for v in 0..COLUMNS
    if (column_{{v}} < columns4) {
      out[(slab + 4u * row0 + r) * columns4 + column_{{v}}] = sums_{{v}}[r];
    }
    //#end
  }
  //#else
  //#for g in 0..GROUPS
  //#for l in 0..ROW_LANES
  if (row0 + {{g}}u * ROW_LANES + {{l}}u < rows4) {
    let row = slab + (row0 + {{g}}u * ROW_LANES + {{l}}u) * 4u;
    //#for v in 0..COLUMNS
    if (column_{{v}} < columns4) {
      //#for q in 0..4
      out[(row + {{q}}u) * columns4 + column_{{v}}] = sum_{{g}}_{{l}}_{{q}}_{{v}};
      //#end
    }
    //#end
  }
  //#end
  //#end
  //#end
}
