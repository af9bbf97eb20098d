/** A forced collection: Bun's own, or V8's under --expose-gc. */
export async function collectGarbage(): Promise<void> {
  if (process.versions.bun) (await import("bun")).gc(true);
  else if (globalThis.gc) globalThis.gc();
  else throw new Error("run with --expose-gc");
}
