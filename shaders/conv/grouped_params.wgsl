// The numbers of conv/grouped.wgsl and its gradients.
struct Params {
  images: u32,
  in_height: u32,
  in_width: u32,
  channels: u32,
  out_height: u32,
  out_width: u32,
  columns: u32,
  kernel_height: u32,
  kernel_width: u32,
  stride_h: u32,
  stride_w: u32,
  pad_h: i32,
  pad_w: i32,
  group_channels: u32,
  group_columns: u32,
}
