import type { Device } from "../device/device.ts";
import { OutOfMemoryError } from "../device/errors.ts";

/**
 * The largest n from `least` to `most` for which `work(n)` fits the device's memory by rehearsal, found by bisection; 0 when
 * not even `least` does.
 * @param work synchronous, see {@link Device.rehearse}; needs no less for a larger n
 * @throws what `work` throws, beside OutOfMemoryError
 */
export function largestFit(device: Device, least: number, most: number, work: (n: number) => unknown): number {
  const fits = (n: number) => {
    try {
      device.rehearse(() => work(n));
      return true;
    } catch (error) {
      if (error instanceof OutOfMemoryError) return false;
      throw error;
    }
  };
  if (fits(most)) return most;
  let [low, high] = [least - 1, most];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low < least ? 0 : low;
}
