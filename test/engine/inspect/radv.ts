import { nullDevice } from "../../../engine/inspect/driver.ts";
import { toSpirv } from "../../../engine/inspect/spirv.ts";

/** Why kernels cannot be compiled for GPUs that are not there; undefined where they can. */
export const missing = await whyNot();

// Where it must be tested, as in CI, its absence is a failure.
if (process.env["ACUTANCE_NEEDS_RADV"] === "1" && missing !== undefined) throw new Error(missing);
if (missing !== undefined) console.warn(`kernels are not inspected here: ${missing}`);

async function whyNot(): Promise<string | undefined> {
  try {
    nullDevice("navi31");
    await toSpirv([]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
