// `bun run test`: all tests, in several processes one after the other; with arguments `bun test` with these.
//
// Mesa's software driver maps memory for every bind group and keeps it for others of the same layout. All tests together use so many shapes
// that one process came to the limit of mappings (65,530 on Linux) and crashed.
import { spawnSync } from "node:child_process";

const processes = 4;
const given = process.argv.slice(2);

/** Runs `bun test` and returns its exit code, or 128 and the signal's number as a shell does. */
function test(...words: string[]): number {
  const { status, signal } = spawnSync(process.execPath, ["test", "--timeout", "120000", ...words], {
    stdio: "inherit",
  });
  if (signal) console.error(`bun test ${words.join(" ")} was ended by ${signal}`);
  return status ?? 128;
}

const codes =
  given.length > 0
    ? [test(...given)]
    : Array.from({ length: processes }, (_, i) => test(`--shard=${i + 1}/${processes}`));
process.exitCode = codes.find((code) => code !== 0) ?? 0;
