// A service of a model that waits half a second for bodies; it prints its address and ends with the process that started it.
import { listen } from "../../../cli/listen.ts";
import { openService } from "../../../models/service/index.ts";

const [model] = process.argv.slice(2);
const limits = { bodySeconds: 0.5, maxBodyBytes: 2 ** 20 };
const log = (entry: { readonly event: string }) => {
  if (entry.event === "failure") console.error(JSON.stringify(entry));
};
const service = await openService({ models: [{ model: model! }], limits, hosts: [], log });
const { url } = await listen(service, { host: "127.0.0.1", port: 0 });
console.log(url);
process.stdin.on("end", () => process.exit(0)).resume();
