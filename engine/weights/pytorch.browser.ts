import type * as system from "./pytorch.ts";
import { WeightsError } from "./stored.ts";

export const openPytorch: typeof system.openPytorch = async (path) => {
  throw new WeightsError(`${path} is a file of PyTorch, which is not read in a page: make it safetensors first`);
};
