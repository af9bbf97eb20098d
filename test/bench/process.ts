import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { EngineName } from "./engines.ts";
import { parseReply, type Reply, type Request } from "./protocol.ts";

/** An engine did not answer as it should: it crashed, hung, or says why it cannot. */
export class EngineError extends Error {
  override name = "EngineError";
}

/** Last lines before a crash that are kept. */
const keptLines = 20;

/** What Dawn says of every adapter with generous limits; it concerns nobody. */
const noise = /^Warning: maxDynamic\w+ artificially reduced/;

/** One engine in a process of its own. A crash or a hang ends that process only. */
export class EngineProcess {
  readonly name: EngineName;
  readonly version: string;
  readonly adapter: string;
  readonly note: string | undefined;
  readonly #child: Child;

  private constructor(name: EngineName, child: Child, opened: Reply & { is: "open" }) {
    this.name = name;
    this.#child = child;
    this.version = opened.version;
    this.adapter = opened.adapter;
    this.note = opened.note;
  }

  /** @throws EngineError when the engine cannot be loaded or cannot open the adapter */
  static async open(name: EngineName, timeoutSeconds: number): Promise<EngineProcess> {
    const child = new Child(name);
    const reply = await child.reply(timeoutSeconds, "opening the adapter");
    if (reply.is === "open") return new EngineProcess(name, child, reply);
    child.kill();
    throw new EngineError("reason" in reply ? reply.reason : `unexpected reply "${reply.is}"`);
  }

  /** False once the process has ended or was ended. */
  get alive(): boolean {
    return this.#child.alive;
  }

  /** Sends a request and waits for its reply. @throws EngineError when the process ends or the time is over */
  ask(request: Request, timeoutSeconds: number): Promise<Reply> {
    this.#child.send(request);
    return this.#child.reply(timeoutSeconds, request.do);
  }

  close(): void {
    this.#child.kill();
  }
}

class Child {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #replies: AsyncIterator<Reply>;
  readonly #talk: string[] = [];
  alive = true;

  constructor(name: EngineName) {
    this.#process = Bun.spawn([process.execPath, new URL("./child.ts", import.meta.url).pathname, name], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#replies = this.#read();
    this.#collectErrors();
    this.#process.exited.then(() => {
      this.alive = false;
    });
  }

  send(request: Request): void {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    this.#process.stdin.flush();
  }

  async reply(timeoutSeconds: number, doing: string): Promise<Reply> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.kill();
        reject(new EngineError(`${doing}: no answer within ${timeoutSeconds} s`));
      }, timeoutSeconds * 1000);
    });
    try {
      const next = await Promise.race([this.#replies.next(), late]);
      if (!next.done) return next.value;
      const code = await this.#process.exited;
      this.alive = false;
      const how = this.#process.signalCode ? `by ${this.#process.signalCode}` : `with code ${code}`;
      throw new EngineError(
        `${doing}: the process ended ${how}${this.#talk.length > 0 ? `: ${this.#talk.join(" ")}` : ""}`,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.alive = false;
    this.#process.kill("SIGKILL");
  }

  async *#read(): AsyncGenerator<Reply, undefined> {
    for await (const line of lines(this.#process.stdout)) {
      const reply = parseReply(line);
      if (reply) yield reply;
    }
    return undefined;
  }

  async #collectErrors(): Promise<void> {
    for await (const line of lines(this.#process.stderr)) {
      if (noise.test(line)) continue;
      this.#talk.push(line);
      if (this.#talk.length > keptLines) this.#talk.shift();
    }
  }
}

function lines(stream: ReadableStream<Uint8Array>): AsyncIterable<string> {
  return createInterface({ input: Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]) });
}
