// What a column of conjugate gradients moves by, from the parts of a sum over its rows; per column, four at a time:
//
//   start:  r·r = y·y = Σ parts       factor = 0
//   alpha:  factor = r·r / Σ parts    (parts of p·q)
//   beta:   factor = Σ parts / r·r    (parts of the new r·r, which then replaces the old)
//
// factor is 0 for a column at rest, one with r·r ≤ tolerance² · y·y; so is alpha where p·q is not positive. start and beta
// leave residual = √(r·r / y·y), 0 where y is 0.
// parts: [parts, 4·columns4]; rr, yy, factor, residual: [4·columns4]. One invocation takes four columns.
// STEP: start, alpha or beta.   WORKGROUP: invocations of a workgroup.
struct Params {
  columns4: u32,
  parts: u32,
  tolerance: f32,
}

@group(0) @binding(0) var<storage, read> parts: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rr: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> yy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> factor: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> residual: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

// 0 where b is 0 or less. Anything that is not a number comes through, so that the residual shows it.
fn ratio(a: vec4f, b: vec4f) -> vec4f {
  let nothing = b <= vec4f();
  return select(a / select(b, vec4f(1.0), nothing), vec4f(), nothing);
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (c >= params.columns4) {
    return;
  }
  var sum = vec4f();
  for (var part = 0u; part < params.parts; part++) {
    sum += parts[part * params.columns4 + c];
  }
  //#if STEP == start
  rr[c] = sum;
  yy[c] = sum;
  factor[c] = vec4f();
  residual[c] = sqrt(ratio(sum, sum));
  //#end
  //#if STEP == alpha
  let rests = rr[c] <= params.tolerance * params.tolerance * yy[c];
  factor[c] = select(ratio(rr[c], sum), vec4f(), rests);
  //#end
  //#if STEP == beta
  let rests = sum <= params.tolerance * params.tolerance * yy[c];
  factor[c] = select(ratio(sum, rr[c]), vec4f(), rests);
  rr[c] = sum;
  residual[c] = sqrt(ratio(sum, yy[c]));
  //#end
}
