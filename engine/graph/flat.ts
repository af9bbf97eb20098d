import type { Device } from "../device/device.ts";
import type { KernelArgument } from "../kernel/argument.ts";
import type { CallCost } from "../kernel/call.ts";
import { flatGrid, flatWorkgroup } from "../kernel/grid.ts";
import type { Constants } from "../kernel/template.ts";

/** Records a kernel of `shaders/graph` over `count` independent invocations. */
export function overAll(
  device: Device,
  count: number,
  kernel: string,
  constants: Constants,
  bindings: Readonly<Record<string, KernelArgument>>,
  parameters: Readonly<Record<string, number>>,
  cost?: CallCost,
): void {
  const all = { ...constants, WORKGROUP: flatWorkgroup };
  device.labels.within({ phase: "graph" }, () =>
    device.kernels.run(`graph/${kernel}`, all, bindings, parameters, flatGrid(device, count), cost),
  );
}
