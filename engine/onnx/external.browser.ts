import { OnnxError } from "./errors.ts";
import type * as system from "./external.ts";

export const externalBytes: typeof system.externalBytes =
  () =>
  ({ name }) => {
    throw new OnnxError(
      `tensor "${name}" lies in another file, and a page reads one: save the model with its weights inside`,
    );
  };
