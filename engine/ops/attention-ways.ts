import type { Device } from "../device/device.ts";
import type { Constants } from "../kernel/template.ts";
import type { Way } from "../tune/tuner.ts";

/** A way to run the attention kernels: their constants, and how many rows one workgroup makes. */
export interface AttentionWay extends Way {
  readonly constants: Constants;
  readonly rows: number;
}

/** Invocations of a workgroup where the subgroup does not give their number. */
const sharedLanes = 32;
/** Lanes of the widest subgroups that processors have. */
const narrow = 16;
/** Rows kept in workgroup memory at a time. */
const tileRows = 16;

/** Widest row of one head, in vec4s, for which software adapters compile the way through workgroup memory in a second. */
const mostShared = 16;

/**
 * Ways to run shaders/attention/forward.wgsl and gradient.wgsl on heads of `width` vec4s, the default first. All add in
 * the same order and give the same bits.
 */
export function attentionWays(device: Device, width: number): AttentionWay[] {
  const { subgroupSize: lanes } = device;
  if (lanes === 0) return [plainWay("storage", 0, width), ...(width <= mostShared ? sharedWay(device, width) : [])];
  const broadcast = [2, 1].map((rows) => broadcastWay(lanes, width, rows));
  // Narrow subgroups are those of processors: their workgroup memory is memory, and their barriers are dear.
  return lanes > narrow ? [...sharedWay(device, width, "WIDTH"), ...broadcast] : broadcast;
}

function broadcastWay(lanes: number, width: number, rows: number): AttentionWay {
  // Lanes that load a part of a row each, all of them at once: the largest divisor of the row's vec4s.
  let rowLanes = Math.min(lanes, width);
  while (width % rowLanes !== 0) rowLanes--;
  const bound = lanes > narrow ? "WIDTH" : "params.width";
  const row = { ROW_LANES: rowLanes, GROUPS: width / rowLanes, BOUND: bound };
  return {
    name: `broadcast ${rows * lanes}`,
    constants: { SOURCE: "subgroup", LANES: lanes, ROWS: rows, TILE: 0, ...row },
    rows: rows * lanes,
  };
}

function sharedWay(device: Device, width: number, bound = "params.width"): AttentionWay[] {
  const bytes = 2 * 16 * tileRows * width;
  if (bytes > device.gpu.limits.maxComputeWorkgroupStorageSize) return [];
  return [plainWay("workgroup", tileRows, width, bound)];
}

function plainWay(source: string, tile: number, width: number, bound = "params.width"): AttentionWay {
  return {
    name: `${source} ${sharedLanes}`,
    constants: { SOURCE: source, LANES: sharedLanes, ROWS: 1, TILE: tile, ROW_LANES: 1, GROUPS: width, BOUND: bound },
    rows: sharedLanes,
  };
}
