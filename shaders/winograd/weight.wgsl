// Second operand of a 3x3 convolution by Winograd's minimal filtering, see winograd/input.wgsl:
//
//   U[p·SIZE + q, c, o] = (G · g · Gᵀ)[p, q],   g[i, j] = weight[i, j, c, o]
//
// or, TURNED for the input gradient, U[p·SIZE + q, o, c] with g[i, j] = weight[2 − i, 2 − j, c, o].
// Layouts: weight [3, 3, C, O], U [SIZE², C, O], TURNED [SIZE², O, C].
// One invocation makes one kernel, neighbours along the last axis of U.
//
// SIZE: 4 or 6.   TURNED: true or false.   WORKGROUP: invocations.
//#use winograd/points

struct Params {
  // Rows and columns of one matrix of U.
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// G · g for one column g. For m = 4 the row of a point p is (1, p, p²) / M'(p) with M = x (x² − A²) (x² − B²), hence
// M'(0) = A² B², M'(±A) = 2 A² (A² − B²), M'(±B) = 2 B² (B² − A²).
fn filtered(g0: f32, g1: f32, g2: f32) -> Line {
  //#if SIZE == 4
  return Line(g0, 0.5 * (g0 + g1 + g2), 0.5 * (g0 - g1 + g2), g2);
  //#else
  let even_a = (g0 + (A * A) * g2) / (2.0 * A * A * (A * A - B * B));
  let odd_a = g1 / (2.0 * A * (A * A - B * B));
  let even_b = (g0 + (B * B) * g2) / (2.0 * B * B * (B * B - A * A));
  let odd_b = g1 / (2.0 * B * (B * B - A * A));
  return Line(g0 / (A * A * B * B), even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g2);
  //#end
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let next = params.rows * params.columns;
  if (at >= next) {
    return;
  }
  //#if TURNED
  let row = at / params.columns;
  let turned = (at - row * params.columns) * params.rows + row;
  //#end
  //#for i in 0..3
  //#for j in 0..3
  //#if TURNED
  let g_{{i}}_{{j}} = weight[turned + (8u - {{i}}u * 3u - {{j}}u) * next];
  //#else
  let g_{{i}}_{{j}} = weight[at + ({{i}}u * 3u + {{j}}u) * next];
  //#end
  //#end
  //#end
  //#for j in 0..3
  let column_{{j}} = filtered(g_0_{{j}}, g_1_{{j}}, g_2_{{j}});
  //#end
  //#for i in 0..SIZE
  let row_{{i}} = filtered(column_0[{{i}}], column_1[{{i}}], column_2[{{i}}]);
  //#for j in 0..SIZE
  transformed[at + ({{i}}u * {{SIZE}}u + {{j}}u) * next] = row_{{i}}[{{j}}];
  //#end
  //#end
}
