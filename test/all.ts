// `bun run test`: all tests, in parts side by side, one for each processor; with arguments `bun test` with these.
//
// Tests keep about one processor busy, or wait for a child or a server. There are more parts than that, so that the last of them are done at
// about the same time, and for Mesa's software driver: it maps memory for every bind group and keeps it for others of the same layout. All
// tests together use so many shapes that one process came to the limit of mappings (65,530 on Linux) and crashed.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
// Children of tests have the vectors of tests: what Bun.spawn starts gets the environment that the process itself began with.
import "./vectors.ts";

const parts = 24;
/** Each takes up to 3 GB. */
const atOnce = Math.min(availableParallelism(), 4);
const given = process.argv.slice(2);

/** Runs `bun test`; its output is printed as it comes, or at the end where others run beside it. Its exit code, or 128 for a signal. */
async function test(words: readonly string[], beside: boolean): Promise<number> {
  const child = spawn(process.execPath, ["test", "--timeout", "120000", ...words], {
    stdio: ["inherit", ...(beside ? (["pipe", "pipe"] as const) : (["inherit", "inherit"] as const))],
  });
  const output: Buffer[] = [];
  child.stdout?.on("data", (chunk) => output.push(chunk));
  child.stderr?.on("data", (chunk) => output.push(chunk));
  const { promise, resolve } = Promise.withResolvers<readonly [number | null, NodeJS.Signals | null]>();
  child.on("close", (code, signal) => resolve([code, signal]));
  const [code, signal] = await promise;
  process.stderr.write(Buffer.concat(output));
  if (signal) console.error(`bun test ${words.join(" ")} was ended by ${signal}`);
  return code ?? 128;
}

const codes: number[] = [];
if (given.length > 0) codes.push(await test(given, false));
else {
  const left = Array.from({ length: parts }, (_, i) => `--shard=${i + 1}/${parts}`);
  const worker = async () => {
    for (let part = left.shift(); part; part = left.shift()) codes.push(await test([part], true));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
process.exitCode = codes.find((code) => code !== 0) ?? 0;
