// average += share · (x − average), an exponential moving average of x with decay 1 − share, of several tensors.
// One invocation updates one vec4. Tensor t of PARTS (1 to 8) has the workgroups from those of the one before it to
// end<t>, and count<t> invocations. WORKGROUP: invocations of a workgroup.
struct Params {
  share: f32,
  //#for t in 0..PARTS
  end{{t}}: u32,
  count{{t}}: u32,
  //#end
}

//#for t in 0..PARTS
@group(0) @binding({{t}}) var<storage, read_write> average{{t}}: array<vec4f>;
@group(0) @binding(1{{t}}) var<storage, read> x{{t}}: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = id.x + id.y * groups.x;
  var start = 0u;
  //#for t in 0..PARTS
  if (group >= start && group < params.end{{t}}) {
    let i = (group - start) * {{WORKGROUP}}u + lane;
    if (i < params.count{{t}}) {
      average{{t}}[i] += params.share * (x{{t}}[i] - average{{t}}[i]);
    }
  }
  start = params.end{{t}};
  //#end
}
