// Preloaded before tests (bun test --preload), writes every kernel that they run, with its constants and f16 buffers, as a
// line of JSON to the file that ACUTANCE_VARIANTS names.
import { appendFileSync } from "node:fs";
import { Dispatcher } from "../../../engine/kernel/dispatch.ts";

const path = process.env["ACUTANCE_VARIANTS"]!;
const seen = new Set<string>();
const run = Dispatcher.prototype.run;
Dispatcher.prototype.run = function (name, constants, bindings, ...rest) {
  const halves = Object.keys(bindings).filter((binding) => bindings[binding]!.dtype === "f16");
  const line = JSON.stringify({ kernel: name, constants, halves });
  if (!seen.has(line)) appendFileSync(path, `${line}\n`);
  seen.add(line);
  run.call(this, name, constants, bindings, ...rest);
};
