// A process of requests that ends as each asks for.
import { answerRequests } from "../../../engine/inspect/processes.ts";

await answerRequests<string, string>(
  (request) => {
    process.stdout.write(`began ${request}\n`);
    if (request === "abort") process.kill(process.pid, "SIGABRT");
    if (request === "exit") process.exit(7);
    if (request === "hang") return new Promise(() => setInterval(() => {}, 1000));
    if (request === "throw") throw new Error("no");
    if (request === "usage") throw new TypeError("not so");
    return request.toUpperCase();
  },
  (error) => (error instanceof TypeError ? "usage" : undefined),
);
