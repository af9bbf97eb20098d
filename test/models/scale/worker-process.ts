// worker-process.ts OPTIONS: a worker of the library with these options, as JSON, that prints its log. A picture with "poison" in its name ends the process
// at once when it is read; one with "slow" takes two seconds.
import { setTimeout as sleep } from "node:timers/promises";
import { PictureReader } from "../../../models/scale/reader.ts";
import { openWorker } from "../../../models/scale/worker.ts";

const read = PictureReader.prototype.read;
PictureReader.prototype.read = async function (name, located, signal) {
  if (name.includes("poison")) process.kill(process.pid, "SIGKILL");
  if (name.includes("slow")) await sleep(2000);
  return read.call(this, name, located, signal);
};
const worker = await openWorker({
  ...JSON.parse(process.argv[2]!),
  log: (entry) => console.log(JSON.stringify(entry)),
});
console.log(JSON.stringify({ event: "working" }));
process.once("SIGTERM", () => void worker.drain());
await worker.done;
