// Loaded by `node --import` before the tests: "bun:test" is the shim beside this file.
import { registerHooks } from "node:module";

const shim = new URL("./bun-test.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "bun:test" ? { url: shim, shortCircuit: true } : next(specifier, context),
});
