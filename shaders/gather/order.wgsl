// Sorts places[starts[v]] … places[starts[v + 1] − 1] upwards for each v, in place.   starts: [rows + 1]
//
// One invocation sorts the places of one v with a heap, which needs no room and n log n steps also for one that holds them
// all. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
}

@group(0) @binding(0) var<storage, read> starts: array<u32>;
@group(0) @binding(1) var<storage, read_write> places: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// Puts `value` in the heap of `count` places at `first`, from the free place `root` down.
fn sift(first: u32, count: u32, root: u32, value: u32) {
  var place = root;
  loop {
    var child = 2u * place + 1u;
    if (child >= count) {
      break;
    }
    var largest = places[first + child];
    if (child + 1u < count) {
      let right = places[first + child + 1u];
      if (right > largest) {
        child += 1u;
        largest = right;
      }
    }
    if (largest <= value) {
      break;
    }
    places[first + place] = largest;
    place = child;
  }
  places[first + place] = value;
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let v = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (v >= params.rows) {
    return;
  }
  let first = starts[v];
  let count = starts[v + 1u] - first;
  for (var i = count / 2u; i > 0u; i--) {
    sift(first, count, i - 1u, places[first + i - 1u]);
  }
  for (var end = count; end > 1u; end--) {
    let value = places[first + end - 1u];
    places[first + end - 1u] = places[first];
    sift(first, end - 1u, 0u, value);
  }
}
