// A process with a watchdog of so many seconds, whose event loop then turns or spins.
import { startWatchdog } from "../../cli/watchdog.ts";

const [seconds, what] = process.argv.slice(2);
startWatchdog(Number(seconds));
if (what === "spin") {
  setTimeout(() => {
    for (;;);
  }, 300);
}
setInterval(() => console.log(`alive ${process.pid}`), 100);
