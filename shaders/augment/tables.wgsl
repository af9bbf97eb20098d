// Where each level of each channel of a picture goes, for the operations that look at one level alone, as Pillow rounds them.
//   h       counts of the levels in a channel, l and m the least and the largest that there are, P the pixels of a picture
//   below   Σ h[i], i below the level
//   rule 0  level
//   rule 1  stretched        ⌊255 (level − l) / (m − l)⌋ within 0 … 255; level when m = l
//   rule 2  equalised        ⌊(⌊step / 2⌋ + below) / step⌋ up to 255, step = ⌊(P − h[m]) / 255⌋; level when m = l or step = 0
//   rule 3  inverted         255 − level
//   rule 4  towards black    between 0 and level
//   rule 5  towards grey     between ⌊mean luma + 1/2⌋ and level
//   rule 6  fewer bits       level, its lowest `amount` bits 0
//   rule 7  solarised        255 − level from `amount` on
// Rules 1 to 3 go the share amount / 2^16 of the way from the level, rules 4 and 5 to it, by augment/between.
//
// One workgroup (channel; picture) makes a table of 256, one invocation an entry.
// Layouts: x [images, pixels] of R + 2^8 G + 2^16 B; y [images, 3, 256]; windows of the batch that start at first_image. passes: as for
// augment/change, of which this one reads (kind, rule, amount).
//#use augment/between
struct Params {
  pixels: u32,
  first_image: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> passes: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> below: array<u32, 256>;
var<workgroup> least: u32;
var<workgroup> largest: u32;
var<workgroup> total: u32; // Σ level · h, below 2^32 for up to 2^24 pixels

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) level: u32) {
  let operation = passes[4u * (params.first_image + group.y)];
  let rule = operation.y;
  atomicStore(&counts[level], 0u);
  workgroupBarrier();
  if (rule == 1u || rule == 2u || rule == 5u) {
    for (var k = level; k < params.pixels; k += 256u) {
      let pixel = x[group.y * params.pixels + k];
      let value = select((pixel >> (8u * group.x)) & 255u, luma(channels(pixel)), rule == 5u);
      atomicAdd(&counts[value], 1u);
    }
  }
  workgroupBarrier();
  if (level == 0u) {
    least = 255u;
    var most = 0u;
    var sum = 0u;
    var before = 0u;
    for (var i = 0u; i < 256u; i++) {
      let count = atomicLoad(&counts[i]);
      below[i] = before;
      before += count;
      sum += i * count;
      if (count > 0u) {
        least = min(least, i);
        most = i;
      }
    }
    largest = most;
    total = sum;
  }
  workgroupBarrier();

  let amount = operation.z;
  var entry = level;
  switch rule {
    case 1u: {
      if (largest > least) {
        let within = clamp(level, least, largest) - least;
        entry = between(level, 255u * within / (largest - least), amount);
      }
    }
    case 2u: {
      let step = below[largest] / 255u;
      if (largest > least && step > 0u) {
        entry = between(level, min(255u, (step / 2u + below[level]) / step), amount);
      }
    }
    case 3u: {
      entry = between(level, 255u - level, amount);
    }
    case 4u: {
      entry = between(0u, level, amount);
    }
    case 5u: {
      entry = between((total + params.pixels / 2u) / params.pixels, level, amount);
    }
    case 6u: {
      entry = (level >> amount) << amount;
    }
    case 7u: {
      entry = select(level, 255u - level, level >= amount);
    }
    default: {
    }
  }
  y[(group.y * 3u + group.x) * 256u + level] = entry;
}
