import type { Device } from "../device/device.ts";
import { canChoose, isWide } from "../device/subgroups.ts";
import type { Constants } from "../kernel/template.ts";
import type { Way } from "../tune/tuner.ts";

/** A way to run the attention kernels: their constants, and how many rows one workgroup makes. */
export interface AttentionWay extends Way {
  readonly constants: Constants;
  readonly rows: number;
  /** Runs shared_forward.wgsl and shared_gradient.wgsl. */
  readonly shared?: true;
}

/** Invocations of a workgroup where the subgroup does not give their number. */
const plainLanes = 32;
/** Lanes of the widest subgroups. */
const widest = 64;
/** Rows kept in workgroup memory at a time. */
const tileRows = 16;

/** Widest row of one head, in vec4s, for which software adapters compile the way through workgroup memory in a second. */
const mostShared = 16;

/**
 * Ways to run shaders/attention/forward.wgsl and gradient.wgsl, or what stands for them, on heads of `width` vec4s, the default
 * first. All add in the same order and give the same bits.
 * @param simple every query sees every key, and each head has keys of its own
 */
export function attentionWays(device: Device, width: number, simple = true): AttentionWay[] {
  if (isWide(device)) return wideWays(device, width, simple);
  const { subgroupSize: lanes } = device;
  if (lanes > 0) return [2, 1].map((rows) => broadcastWay(lanes, width, rows));
  return [plainWay("storage", 0, width), ...(width <= mostShared ? workgroupWay(device, width) : [])];
}

/** Bytes of workgroup memory that shared_forward.wgsl takes; its gradient takes less. */
const sharedBytes = 16 * (16 * 33 + 2 * 256) + 4 * 2 * 32;

/** Widest row of one head, in vec4s, that shared_forward.wgsl makes. */
const widestShared = 32;

/** Exported for tests. */
export function wideWays(device: Device, width: number, simple = true): AttentionWay[] {
  if (!simple || width > widestShared || sharedBytes > device.gpu.limits.maxComputeWorkgroupStorageSize) {
    return [plainWay("storage", 0, width, widest, "WIDTH")];
  }
  const [chunks, groups] = [Math.ceil(width / 8), Math.ceil(width / 16)];
  // Software drivers, on which tests run these, take long to compile what is written out.
  // Software drivers, on which tests run these, take long to compile what is unrolled.
  const eight = device.isSoftware ? "params.eight" : "8u";
  const constants = { WIDTH: width, CHUNKS: chunks, GROUPS: groups, EIGHT: eight };
  const way: AttentionWay = { name: "tile 32x32", constants, rows: 32, shared: true };
  const narrower = { ...way, name: "tile 32x32 in subgroups of 32", constants: { ...constants, SUBGROUP: 32 } };
  return canChoose(device, 32) ? [way, narrower] : [way];
}

function broadcastWay(lanes: number, width: number, rows: number): AttentionWay {
  // Lanes that load a part of a row each, all of them at once: the largest divisor of the row's vec4s.
  let rowLanes = Math.min(lanes, width);
  while (width % rowLanes !== 0) rowLanes--;
  const row = { ROW_LANES: rowLanes, GROUPS: width / rowLanes, BOUND: "params.width" };
  return {
    name: `broadcast ${rows * lanes}`,
    constants: { SOURCE: "subgroup", LANES: lanes, ROWS: rows, TILE: 0, ...row },
    rows: rows * lanes,
  };
}

function workgroupWay(device: Device, width: number): AttentionWay[] {
  const bytes = 2 * 16 * tileRows * width;
  return bytes > device.gpu.limits.maxComputeWorkgroupStorageSize ? [] : [plainWay("workgroup", tileRows, width)];
}

function plainWay(
  source: string,
  tile: number,
  width: number,
  lanes = plainLanes,
  bound = "params.width",
): AttentionWay {
  return {
    name: `${source} ${lanes}`,
    constants: { SOURCE: source, LANES: lanes, ROWS: 1, TILE: tile, ROW_LANES: 1, GROUPS: width, BOUND: bound },
    rows: lanes,
  };
}
