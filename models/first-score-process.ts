// The process that firstScore() starts: scores one picture with a model, prints what took how long as one line of JSON.
import { openDevice } from "../engine/device/device.ts";
import { restoreChoices } from "../engine/tune/choices.ts";
import { openModel } from "./cpl/model.ts";
import { predict } from "./cpl/predict.ts";
import { decode, PictureStore } from "./data/index.ts";

const [, , modelPath = "", picturePath = ""] = process.argv;
const marks: number[] = [performance.now()];
const mark = () => marks.push(performance.now());
const device = await openDevice();
await restoreChoices(device);
mark();
const { model, card } = await openModel(device, modelPath);
await device.finish();
mark();
await decode(picturePath);
mark();
const store = new PictureStore(device, card.options.resize, 1, 0);
for await (const outcome of predict(model, [{ path: picturePath }], store, card.options)) {
  if ("error" in outcome) throw outcome.error;
}
mark();
const [openMs, loadMs, decodeMs, scoreMs] = marks.slice(1).map((at, i) => at - marks[i]!);
process.stdout.write(`${JSON.stringify({ importMs: marks[0], openMs, loadMs, decodeMs, scoreMs })}\n`);
store.dispose();
device.close();
