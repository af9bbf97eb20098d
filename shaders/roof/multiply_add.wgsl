// CHAINS independent chains of vec4 multiply-adds in registers, fully unrolled:   v ← a·v + b₀,   v ← a·v + b₁,   …
//
// The roof of arithmetic: no memory is touched between the first load and the one store. a = −1, b₀ and b₁ = b₀ + 1 come from
// a buffer, so that nothing can be folded away; two steps add 1, and chain c of an invocation ends at
// seed + c + TURNS·PAIRS, whole numbers that f32, i32 and (up to 2048) f16 hold exactly: the result tells whether all was done.
//
// x: [SEEDS + 1] vec4f, x[0] = (any, −a, b₀, b₁), then the seeds; invocation i starts from x[1 + i mod SEEDS].
// y: [invocations], the sum of an invocation's chains and components.
// An invocation does 2 · 4 · CHAINS · 2 · PAIRS · TURNS operations, a multiply-add counted as two.
//
// TYPE: f32, i32, or f16 (needs shader-f16).   CHAINS: 1..16.   PAIRS: pairs of steps in the body of the loop, 1 or more.
// TURNS: of the loop.   SEEDS: 1 or more.   WORKGROUP: invocations of a workgroup.
//#if TYPE == f16
enable f16;
//#end

alias Vector = vec4<{{TYPE}}>;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = -Vector(x[0].yyyy);
  let b_0 = Vector(x[0].zzzz);
  let b_1 = Vector(x[0].wwww);
  let seed = Vector(x[1u + id.x % {{SEEDS}}u]);
  //#for c in 0..CHAINS
  var v_{{c}} = seed + Vector({{TYPE}}({{c}}));
  //#end
  for (var turn = 0u; turn < {{TURNS}}u; turn++) {
    //#for p in 0..PAIRS
    //#for b in 0..2
    //#for c in 0..CHAINS
    //#if TYPE == i32
    v_{{c}} = a * v_{{c}} + b_{{b}};
    //#else
    v_{{c}} = fma(a, v_{{c}}, b_{{b}});
    //#end
    //#end
    //#end
    //#end
  }
  var total = vec4f();
  //#for c in 0..CHAINS
  total += vec4f(v_{{c}});
  //#end
  y[id.x] = total.x + total.y + total.z + total.w;
}
