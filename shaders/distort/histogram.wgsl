// bins[b] += 1 for every sample at level b among 256: round(255·x), kept to 0 … 255. Counts of whole numbers: their order does not
// matter. x: [count], bins: u32 [256], zero before.
//
// A workgroup counts 64·WORKGROUP samples that follow one another in memory of its own. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> own: array<atomic<u32>, 256>;

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  for (var b = local.x; b < 256u; b += {{WORKGROUP}}u) {
    atomicStore(&own[b], 0u);
  }
  workgroupBarrier();
  let first = (group.x + group.y * groups.x) * (64u * {{WORKGROUP}}u) + local.x;
  for (var i = 0u; i < 64u; i++) {
    let index = first + i * {{WORKGROUP}}u;
    if (index < params.count) {
      atomicAdd(&own[u32(clamp(255.0 * x[index] + 0.5, 0.0, 255.0))], 1u);
    }
  }
  workgroupBarrier();
  for (var b = local.x; b < 256u; b += {{WORKGROUP}}u) {
    atomicAdd(&bins[b], atomicLoad(&own[b]));
  }
}
