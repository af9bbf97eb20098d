/**
 * A training in a process of its own, for tests that kill it. Arguments: "train" or "resume", the folder of the run, and a
 * JSON file with data and options. Prints a line after every step.
 */
import { readFileSync } from "node:fs";
import { openDevice } from "../../../engine/device/open.ts";
import { resumeCpl, trainCpl } from "../../../models/methods/cpl/index.ts";
import type { TrainingHooks } from "../../../models/training/training.ts";

const [mode, folder, file] = process.argv.slice(2) as [string, string, string];
const { data, options } = JSON.parse(readFileSync(file, "utf8"));
const step = (_amount?: number, note?: string) => note?.startsWith("loss") && console.log("step");
const progress = () => ({ advance: step, stop: () => {} });
const hooks: TrainingHooks = { folder, progress, checkpointSeconds: 0 };
const { model } = await (mode === "resume" ? resumeCpl(openDevice, hooks) : trainCpl(openDevice, data, options, hooks));
model.device.close();
