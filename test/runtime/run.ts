// Imports the test files named on the command line, for runtimes in which "bun:test" is the shim beside this file: one
// process and one device for all of them, as under Bun.
import { pathToFileURL } from "node:url";

for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href);
