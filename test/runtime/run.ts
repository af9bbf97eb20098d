// Imports the test files named on the command line, for runtimes in which "bun:test" is the shim beside this file: one
// process and one device for all of them, as under Bun.
import { pathToFileURL } from "node:url";
import { startFile, test } from "./bun-test.ts";

for (const file of process.argv.slice(2)) {
  startFile();
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    // Node and Deno may go on with the tests declared so far as if there were no others.
    test(`${file} can be imported`, () => {
      throw error;
    });
  }
}
