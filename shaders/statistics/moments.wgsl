// Sums from which asymmetric generalised Gaussians are fitted to five signals of each block of x: x itself, and its products with
// the neighbours to the right, below, below to the right and below to the left, where a block is closed to a ring in both directions.
//
//   y[block, part, m, s] over a part of the block, m: Σ v² where v < 0, how many those are, Σ v² where v > 0, how many, Σ |v|
//
// x: [·, row]; blocks of [height, width] lie side by side from its upper left corner, `across` of them in a row.
// y: [blocks, parts, 25], signal s running fastest; a part is one column of up to `rows` rows of a block.
// One invocation makes one part; the parts are added up by reduce/axis.wgsl. WORKGROUP: invocations of a workgroup.
struct Params {
  blocks: u32,
  across: u32,
  height: u32,
  width: u32,
  row: u32,
  rows: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let spans = (params.height + params.rows - 1u) / params.rows;
  let parts = spans * params.width;
  let block = index / parts;
  if (block >= params.blocks) {
    return;
  }
  let part = index - block * parts;
  let span = part / params.width;
  let column = part - span * params.width;
  let down = block / params.across;
  let origin = down * params.height * params.row + (block - down * params.across) * params.width;
  let right = select(column + 1u, 0u, column + 1u == params.width);
  let left = select(column - 1u, params.width - 1u, column == 0u);
  let start = span * params.rows;
  let end = min(start + params.rows, params.height);

  var negative = 0.0;
  var negatives = 0.0;
  var positive = 0.0;
  var positives = 0.0;
  var magnitude = 0.0;
  var negative4 = vec4f(0.0);
  var negatives4 = vec4f(0.0);
  var positive4 = vec4f(0.0);
  var positives4 = vec4f(0.0);
  var magnitude4 = vec4f(0.0);
  let first = origin + start * params.row;
  var value = x[first + column];
  var beside = x[first + right];
  for (var h = start; h < end; h++) {
    let next = origin + select(h + 1u, 0u, h + 1u == params.height) * params.row;
    let below = x[next + column];
    let below_right = x[next + right];
    let products = value * vec4f(beside, below, below_right, x[next + left]);
    let square = value * value;
    let squares = products * products;
    negative += select(0.0, square, value < 0.0);
    negatives += select(0.0, 1.0, value < 0.0);
    positive += select(0.0, square, value > 0.0);
    positives += select(0.0, 1.0, value > 0.0);
    magnitude += abs(value);
    negative4 += select(vec4f(0.0), squares, products < vec4f(0.0));
    negatives4 += select(vec4f(0.0), vec4f(1.0), products < vec4f(0.0));
    positive4 += select(vec4f(0.0), squares, products > vec4f(0.0));
    positives4 += select(vec4f(0.0), vec4f(1.0), products > vec4f(0.0));
    magnitude4 += abs(products);
    value = below;
    beside = below_right;
  }
  let one = array(negative, negatives, positive, positives, magnitude);
  let four = array(negative4, negatives4, positive4, positives4, magnitude4);
//#for m in 0..5
  y[25u * index + 5u * {{m}}u] = one[{{m}}];
  y[25u * index + 5u * {{m}}u + 1u] = four[{{m}}].x;
  y[25u * index + 5u * {{m}}u + 2u] = four[{{m}}].y;
  y[25u * index + 5u * {{m}}u + 3u] = four[{{m}}].z;
  y[25u * index + 5u * {{m}}u + 4u] = four[{{m}}].w;
//#end
}
