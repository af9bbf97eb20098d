// Which row an invocation works on. LANES invocations make a row: 1, and a workgroup makes WORKGROUP rows; or 8 or 64, which
// are all of a workgroup, and functions with barriers are called by all of them.
//#use number/element

const LANES = {{LANES}}u;

// Call with the workgroup's number, the workgroups of the grid, and the invocation's number in the workgroup.
fn row_of(group: vec3u, groups: vec3u, index: u32) -> u32 {
  let number = group.x + group.y * groups.x;
  //#if LANES == 1
  return number * {{WORKGROUP}}u + index;
  //#else
  return number;
  //#end
}
