// Where the elements of a row lie, and which channels they are.
//
// WIDTH 0: row by row; the channels are the columns. Else a row is a picture's group of WIDTH channels (as Elements) at all
// positions, and `params.groups` rows lie in each other: x is [pictures, positions, groups, WIDTH], row = picture · groups + group.
// The kernel has `params.columns`, Elements of a row.

//#if WIDTH == 0
fn start_of(row: u32) -> u32 {
  return row * params.columns;
}
fn at(start: u32, column: u32) -> u32 {
  return start + column;
}
fn channel(column: u32) -> u32 {
  return column;
}
//#else
const WIDTH = {{WIDTH}}u;
// The first channel of the row that the invocation works on.
var<private> first_channel: u32;

fn start_of(row: u32) -> u32 {
  let picture = row / params.groups;
  first_channel = (row - picture * params.groups) * WIDTH;
  return picture * params.groups * params.columns + first_channel;
}
fn at(start: u32, column: u32) -> u32 {
  return start + column + column / WIDTH * (params.groups - 1u) * WIDTH;
}
fn channel(column: u32) -> u32 {
  return first_channel + column % WIDTH;
}
//#end
