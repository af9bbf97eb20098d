import { write } from "node:fs";
import { workerData } from "node:worker_threads";
import type { Watch } from "./watchdog.ts";

const { beats, stallMs, lookMs } = workerData as Watch;
let [seen, quietMs, before] = [-1, 0, performance.now()];

const looking = setInterval(() => {
  const now = performance.now();
  // A look that comes much too late says that this thread did not run either.
  quietMs += Math.min(now - before, 2 * lookMs);
  before = now;
  const beat = Atomics.load(beats, 0);
  if (beat !== seen) [seen, quietMs] = [beat, 0];
  if (quietMs >= stallMs) end();
}, lookMs);

function end(): void {
  clearInterval(looking);
  const kill = () => process.kill(process.pid, "SIGKILL");
  const message = `the event loop stood still for ${stallMs / 1000} s; the process ends so that it can be started again`;
  const line = { time: new Date().toISOString(), level: "error", event: "stalled", message };
  // Nobody may be reading.
  setTimeout(kill, 1000);
  write(2, `${JSON.stringify(line)}\n`, kill);
}
