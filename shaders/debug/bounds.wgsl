// index → index where it is below length, else the last one, and the access is counted at its site.
// Put behind a kernel whose subscripts call it: `acutance kernel run` looks for accesses out of bounds with it. Not a kernel.
// GROUP, BINDING: where the counts are bound.   SITES: accesses in the source, 1 or more.
// acutance_hits: [SITES, 3]: how many accesses were out of bounds, the least index of them, the length.

@group({{GROUP}}) @binding({{BINDING}}) var<storage, read_write> acutance_hits: array<atomic<u32>, {{SITES}} * 3>;

fn acutance_at(index: u32, length: u32, site: u32) -> u32 {
  if (index >= length) {
    atomicAdd(&acutance_hits[3u * site], 1u);
    atomicMin(&acutance_hits[3u * site + 1u], index);
    atomicStore(&acutance_hits[3u * site + 2u], length);
  }
  return min(index, max(length, 1u) - 1u);
}
