// Before all tests: Mesa's software driver keeps its own vectors of 256 bits, so that tests run alike on every processor, and compile in
// half the time. `bun run matrix` runs with vectors of 512 bits where the processor has them.
if (process.env["LP_NATIVE_VECTOR_WIDTH"] === undefined) process.env["LP_NATIVE_VECTOR_WIDTH"] = "256";
