// with-parent.ts SCRIPT …: runs a script that ends when the process which started it is gone, however that ended. Signals to a
// child do not reach what it has started in its turn (npx, a shell), and a killed parent sends none: but the pipe to standard
// input is closed in any case.
import { pathToFileURL } from "node:url";

const [script] = process.argv.splice(2, 1);
process.argv[1] = script!;
process.stdin.once("end", () => process.exit(1)).resume();
(process.stdin as Partial<NodeJS.ReadStream>).unref?.();
await import(pathToFileURL(script!).href);
