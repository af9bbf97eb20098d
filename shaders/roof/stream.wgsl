// The roof of memory: copy, y[j] = x[j], or read, y[i] = Σ of the vec4s that invocation i has read.
//
// Workgroup g streams the TURNS·UNROLL·WORKGROUP vec4s from g·TURNS·UNROLL·WORKGROUP on, neighbouring invocations
// neighbouring vec4s, and begins anew where the buffer ends: more workgroups than a buffer has such pieces pass over it again,
// which in a copy writes the same numbers to the same places.
//
// x: a power of two of vec4f.   y: as long for copy; one f32 an invocation for read.
// COPY: true or false.   UNROLL: loads in flight, 1 or more.   WORKGROUP: invocations of a workgroup.
// TURNS: of the loop; above 32, or Mesa unrolls it whole, which takes its software adapter a minute to compile.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
//#if COPY
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
//#end

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(workgroup_id) group: vec3u,
) {
  let mask = arrayLength(&x) - 1u;
  var at = group.x * {{TURNS}}u * {{UNROLL}}u * {{WORKGROUP}}u + lane;
  //#if !COPY
  //#for u in 0..UNROLL
  var sum_{{u}} = vec4f();
  //#end
  //#end
  for (var turn = 0u; turn < {{TURNS}}u; turn++) {
    //#for u in 0..UNROLL
    let j_{{u}} = (at + {{u}}u * {{WORKGROUP}}u) & mask;
    let v_{{u}} = x[j_{{u}}];
    //#end
    //#for u in 0..UNROLL
    //#if COPY
    y[j_{{u}}] = v_{{u}};
    //#else
    sum_{{u}} += v_{{u}};
    //#end
    //#end
    at += {{UNROLL}}u * {{WORKGROUP}}u;
  }
  //#if !COPY
  var total = vec4f();
  //#for u in 0..UNROLL
  total += sum_{{u}};
  //#end
  y[id.x] = total.x + total.y + total.z + total.w;
  //#end
}
