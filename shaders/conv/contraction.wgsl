// What the kernels for the contraction of conv/tile.wgsl share. SCATTER, ACTIVATION: as there.
//#use number/nan
struct Params {
  rows: u32,
  grid_height: u32,
  grid_width: u32,
  in_height: u32,
  in_width: u32,
  channels4: u32,
  pixel4: u32,
  columns4: u32,
  taps_h: u32,
  taps_w: u32,
  stride_h: u32,
  stride_w: u32,
  step_h: i32,
  step_w: i32,
  offset_h: i32,
  offset_w: i32,
  kernel_h0: u32,
  kernel_w0: u32,
  kernel_step_h: u32,
  kernel_step_w: u32,
  kernel_width: u32,
  out_height: u32,
  out_width: u32,
  out_stride_h: u32,
  out_stride_w: u32,
  out_h0: u32,
  out_w0: u32,
  x_entry: u32,
  weight_entry: u32,
  out_entry: u32,
}

// Where a row starts in the `out` of its entry of the batch, in vec4s.
fn written_at(row: u32) -> u32 {
  //#if SCATTER
  let line = row / params.grid_width;
  let image = line / params.grid_height;
  let at_h = (line - image * params.grid_height) * params.out_stride_h + params.out_h0;
  let at_w = (row - line * params.grid_width) * params.out_stride_w + params.out_w0;
  return ((image * params.out_height + at_h) * params.out_width + at_w) * params.columns4;
  //#else
  return row * params.columns4;
  //#end
}

fn activated(value: vec4f) -> vec4f {
  //#if ACTIVATION == relu
  // As whole numbers, the bits of −0 … −∞ are those up to that of −∞; NaN of either sign lies above.
  return select(value, vec4f(), bitcast<vec4i>(value) <= vec4i(-8388608));
  //#end
  //#if ACTIVATION == relu6
  return select(clamp(value, vec4f(), vec4f(6.0)), value, is_nan4(value));
  //#end
  //#if ACTIVATION == none
  return value;
  //#end
}
