// The process that firstScore() starts: scores one picture with a model, prints what took how long as one line of JSON.
import { openDevice } from "../../engine/device/open.ts";
import { restoreChoices } from "../../engine/tune/choices.ts";
import { decode } from "../data/index.ts";
import { openScorer } from "../scoring/scorer.ts";

const [, , modelPath = "", picturePath = ""] = process.argv;
const marks: number[] = [performance.now()];
const mark = () => marks.push(performance.now());
const device = await openDevice();
await restoreChoices(device);
mark();
const scorer = await openScorer({ model: modelPath, device });
await device.finish();
mark();
await decode(picturePath);
mark();
await scorer.score(picturePath);
mark();
const [openMs, loadMs, decodeMs, scoreMs] = marks.slice(1).map((at, i) => at - marks[i]!);
process.stdout.write(`${JSON.stringify({ importMs: marks[0], openMs, loadMs, decodeMs, scoreMs })}\n`);
await scorer.close();
device.close();
