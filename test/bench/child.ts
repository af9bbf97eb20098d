/** `bun child.ts ENGINE`: opens one engine and serves the requests of protocol.ts until its input ends. */
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { cases } from "./cases.ts";
import { type Engine, NotOffered, type Prepared } from "./engine.ts";
import { engineNames, isEngine, modules } from "./engines.ts";
import { type Reply, type Request, replyLine } from "./protocol.ts";

const say = (reply: Reply) => process.stdout.write(replyLine(reply));

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof NotOffered ? error.message : `${error.name}: ${error.message}`;
}

/** The loss before an update says little of gradients: a training step is compared after one, too. */
const firstRuns = { forward: 1, gradient: 1, step: 2 } as const;

let prepared: Prepared | undefined;

async function prepare(engine: Engine, { name, outputs }: Request & { do: "prepare" }): Promise<Reply> {
  const wanted = cases.find((entry) => entry.name === name);
  if (!wanted) throw new Error(`no case is called "${name}"`);
  const start = performance.now();
  prepared = await engine.prepare(wanted);
  const found: Float32Array[] = [];
  for (let i = 0; i < firstRuns[wanted.mode]; i++) found.push(...prepared.canonical(await prepared.run()));
  const seconds = (performance.now() - start) / 1000;
  writeFileSync(
    outputs,
    Buffer.concat(found.map((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))),
  );
  return { is: "prepared", lengths: found.map((data) => data.length), seconds };
}

async function answer(engine: Engine, request: Request): Promise<Reply> {
  if (request.do === "prepare") return prepare(engine, request);
  if (!prepared) throw new Error(`"${request.do}" before "prepare"`);
  if (request.do === "run") {
    const start = performance.now();
    await prepared.run();
    return { is: "ran", ms: performance.now() - start };
  }
  await prepared.release();
  prepared = undefined;
  return { is: "released" };
}

async function serve(name: string | undefined): Promise<void> {
  if (!isEngine(name)) throw new Error(`no engine is called "${name}"; there are ${engineNames.join(", ")}`);
  const engine = await (await modules[name]()).open();
  const { version, adapter, note } = engine;
  say({ is: "open", version, adapter, ...(note && { note }) });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await answer(engine, JSON.parse(line)));
    } catch (error) {
      say({ is: error instanceof NotOffered ? "not offered" : "failed", reason: reason(error) });
    }
  }
}

try {
  await serve(process.argv[2]);
  process.exit(0);
} catch (error) {
  say({ is: "failed", reason: reason(error) });
  process.exit(1);
}
