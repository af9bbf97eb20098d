import { type Measured, microsecondsOf, type Repeatable, timesOf } from "./measured.ts";
import { expectResult, type Workbench } from "./workbench.ts";

export interface Overheads {
  readonly dispatchMicroseconds: Measured;
  readonly encodeMicroseconds: Measured;
  readonly passMicroseconds: Measured;
  readonly submitMicroseconds: Measured;
}

/** Records so many counting dispatches, one after the other, and counts along. */
type Counter = (n: number, record: () => void) => void;

/** Dispatches in one command buffer at most. */
const mostDispatches = 16384;

/**
 * What dispatches cost that do next to nothing, each waiting for the one before it: in one pass (the adapter's share, and
 * the host's for recording them), in passes of their own, in submits of their own.
 */
export async function overheads(bench: Workbench): Promise<Overheads> {
  let counted = 0;
  const counter: Counter = (n, record) => {
    counted += n;
    for (let i = 0; i < n; i++) record();
  };
  bench.clear(4);
  const measured = {
    dispatchMicroseconds: microsecondsOf(await timesOf(dispatches(bench, counter), bench.effort)),
    encodeMicroseconds: microsecondsOf(await timesOf(encoding(bench, counter), bench.effort)),
    passMicroseconds: microsecondsOf(await timesOf(passes(bench, counter), bench.wallEffort)),
    submitMicroseconds: microsecondsOf(await timesOf(submits(bench, counter), bench.wallEffort)),
  };
  const found = new Uint32Array((await bench.results(1)).buffer)[0]!;
  expectResult("the count of dispatches", found, counted);
  return measured;
}

/** Dispatches in one pass, by the clock of passes. */
function dispatches({ watch, count }: Workbench, counter: Counter): Repeatable {
  return { run: (n) => watch.pass((pass) => counter(n, () => count(pass))), start: 64, most: mostDispatches };
}

/** The host's time for recording them, without that of the submit. */
function encoding({ device, watch, count }: Workbench, counter: Counter): Repeatable {
  const run = async (n: number) => {
    let ms = 0;
    await watch.wall(() => {
      const encoder = device.gpu.createCommandEncoder();
      const start = performance.now();
      const pass = encoder.beginComputePass();
      counter(n, () => count(pass));
      pass.end();
      ms = performance.now() - start;
      device.gpu.queue.submit([encoder.finish()]);
    });
    return ms;
  };
  return { run, start: 64, most: mostDispatches };
}

/** Passes of one dispatch in one submit, from recording to completion. */
function passes(bench: Workbench, counter: Counter): Repeatable {
  const { device, watch } = bench;
  const run = (n: number) =>
    watch.wall(() => {
      const encoder = device.gpu.createCommandEncoder();
      counter(n, () => recordPass(bench, encoder));
      device.gpu.queue.submit([encoder.finish()]);
    });
  return { run, start: 16, most: 4096 };
}

/** Submits of one pass of one dispatch, from recording to completion. */
function submits(bench: Workbench, counter: Counter): Repeatable {
  const { device, watch } = bench;
  const submit = () => {
    const encoder = device.gpu.createCommandEncoder();
    recordPass(bench, encoder);
    device.gpu.queue.submit([encoder.finish()]);
  };
  return { run: (n) => watch.wall(() => counter(n, submit)), start: 16, most: 2048 };
}

function recordPass({ count }: Workbench, encoder: GPUCommandEncoder): void {
  const pass = encoder.beginComputePass();
  count(pass);
  pass.end();
}

/** From asking for 4 bytes of an idle device until the host has them: copy, submit, map. By the host's clock. */
export async function readbackLatency(bench: Workbench): Promise<Measured> {
  const run = async (n: number) => {
    await bench.device.finish();
    const start = performance.now();
    for (let i = 0; i < n; i++) await bench.results(1);
    return performance.now() - start;
  };
  return microsecondsOf(await timesOf({ run, most: 1024 }, bench.wallEffort));
}
