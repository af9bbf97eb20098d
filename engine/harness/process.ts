// The process that superviseRuns() starts: takes a request on stdin, prints one line of JSON for what it begins and ends.
// A kernel that never ends, or takes the driver down, ends this process and not the user's.
import { openDevice } from "../device/open.ts";
import { MissingConstantError, TemplateError } from "../kernel/template.ts";
import { partIn } from "../kernel/text.ts";
import { ShapeError } from "../tensor.ts";
import { openWeights } from "../weights/open.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import { readCapture } from "./capture.ts";
import { KernelRunError, KernelUsageError } from "./errors.ts";
import { runKernel } from "./run.ts";
import { type RunEvent, type RunRequest, toJson } from "./supervise.ts";

function say(event: RunEvent): void {
  process.stdout.write(`${toJson(event)}\n`);
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
const {
  source,
  file,
  folder,
  description,
  points,
  runs,
  leastMs,
  noise,
  coldCache,
  inputsPath,
  dumpPath,
  bounds,
  capturePath,
  tolerance,
} = JSON.parse(text) as RunRequest;
const capture = capturePath === undefined ? undefined : readCapture(capturePath);
const device = await openDevice();
await using inputs = inputsPath === undefined ? undefined : await openWeights(inputsPath);
for (const [index, point] of points.entries()) {
  say({ kind: "begin", index });
  try {
    const run = await runKernel(device, source, description, point, {
      file,
      runs,
      ...(folder !== undefined && { part: partIn(folder) }),
      ...(leastMs !== undefined && { leastMs }),
      ...(bounds !== undefined && { bounds }),
      ...(inputs && { inputs }),
      ...(capture && { capture }),
      ...(tolerance !== undefined && { tolerance }),
      ...(noise !== undefined && { noise }),
      ...(coldCache && { coldCache }),
      ...(dumpPath !== undefined && { dump: (tensors) => writeSafetensors(dumpPath, tensors, { kernel: file }) }),
    });
    say({ kind: "done", index, run });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const usage = error instanceof KernelUsageError || error instanceof MissingConstantError;
    say({ kind: "failed", index, message, usage });
    // Whatever else went wrong may have left the device unusable: the rest is for a new process.
    if (![KernelRunError, TemplateError, ShapeError].some((kind) => error instanceof kind)) process.exit(3);
  }
}
device.close();
