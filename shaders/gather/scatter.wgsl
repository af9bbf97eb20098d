// y[v] = x[v] combined with the rows of `updates` whose place is v, in ascending order: places[starts[v]] …
// places[starts[v + 1] − 1], as gather/order.wgsl leaves them.   rows of `columns`
//   none: the last of them    add, multiply, max, min: with all of them    clear: 0 where there is one
// y and x: the rows from first_row on, `rows` of them. updates come in windows: this call has its rows first_place …
// first_place + place_count − 1.
//
// One invocation makes one element of y. REDUCE: one of the names above.   FIRST: it starts with x instead of what is there.
// ELEMENT: f32, u32 or i32; with none and clear, which move bits, also f16.   WORKGROUP: invocations of a workgroup.
//#use number/nan
struct Params {
  rows: u32,
  columns: u32,
  first_row: u32,
  first_place: u32,
  place_count: u32,
}

alias Element = {{ELEMENT}};

// The extreme of two, NaN where one is.
fn known(extreme: Element, value: Element, update: Element) -> Element {
  //#if ELEMENT == f32
  return select(select(extreme, update, is_nan(update)), value, is_nan(value));
  //#else
  return extreme;
  //#end
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
//#if REDUCE != clear
@group(0) @binding(1) var<storage, read> updates: array<Element>;
//#end
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> places: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (at >= params.rows * params.columns) {
    return;
  }
  let row = at / params.columns;
  let column = at - row * params.columns;
  let v = params.first_row + row;
  //#if FIRST
  var value = x[at];
  //#else
  var value = y[at];
  //#end
  let end = starts[v + 1u];
  for (var p = starts[v]; p < end; p++) {
    // A place before the window wraps to a number above every row of it.
    let place = places[p] - params.first_place;
    if (place < params.place_count) {
      //#if REDUCE == clear
      value = Element();
      //#else
      let update = updates[place * params.columns + column];
      //#end
      //#if REDUCE == none
      value = update;
      //#end
      //#if REDUCE == add
      value += update;
      //#end
      //#if REDUCE == multiply
      value *= update;
      //#end
      //#if REDUCE == max
      value = known(max(value, update), value, update);
      //#end
      //#if REDUCE == min
      value = known(min(value, update), value, update);
      //#end
    }
  }
  y[at] = value;
}
