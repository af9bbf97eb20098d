import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { runArguments } from "../../../../engine/device/check.ts";
import type { DecodeOptions, Picture } from "../decode.ts";
import { DecoderEndedError } from "./errors.ts";
import { FrameReader, frameHead } from "./frames.ts";
import { type Answer, errorOf, type Question } from "./messages.ts";

export interface ChildOptions {
  /** It leaves the processor to others. */
  readonly isSlow: boolean;
  /** It is ended when it holds more, where the system tells (Linux). */
  readonly memoryBytes: number;
}

const pollMs = 50;
const startSeconds = 20;

/** A process that decodes one picture at a time and can be ended in the middle of one. */
export class DecoderChild {
  readonly #child: ChildProcess;
  readonly #options: ChildOptions;
  readonly #started = Promise.withResolvers<void>();
  #isReady = false;
  #end: DecoderEndedError | undefined;
  #waiting: PromiseWithResolvers<{ readonly header: Answer; readonly body: Uint8Array }> | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
    const script = fileURLToPath(new URL(`./process${extname(import.meta.url)}`, import.meta.url));
    const words = [...runArguments(), script, ...(options.isSlow ? ["slow"] : [])];
    this.#child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
    const reader = new FrameReader<Answer>((frame) => {
      if (frame.header.is === "ready") this.#start();
      else this.#waiting?.resolve(frame);
    });
    this.#child.stdout!.on("data", (chunk: Uint8Array) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.stop("crash", (error as Error).message);
      }
    });
    this.#started.promise.catch(() => {}); // whoever asks it hears of that
    // A process that has ended says so by its exit.
    this.#child.stdin!.on("error", () => {});
    this.#child.on("error", (error) => this.stop("crash", error.message));
    this.#child.on("exit", (code, signal) => this.stop("crash", `it ended with ${signal ?? `code ${code}`}`));
    // It must not keep a host from ending that has nothing else to do.
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout]) (stream as { unref?: () => void }).unref?.();
  }

  /** Resolves when it can be asked. @throws DecoderEndedError */
  async ready(): Promise<void> {
    if (this.#isReady) return;
    const late = setTimeout(() => this.stop("start", `it did not start within ${startSeconds} s`), 1000 * startSeconds);
    try {
      await this.#started.promise;
    } finally {
      clearTimeout(late);
    }
  }

  /** True once it cannot be asked any more. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** About how long the picture will take, seconds of one core. @throws as {@link pixels} */
  async cost(bytes: Uint8Array, options: DecodeOptions): Promise<number> {
    const { header } = await this.#ask({ ask: "cost", options }, bytes);
    return header.is === "cost" ? header.cost : unexpected(header);
  }

  /** The pixels of the picture whose cost was asked last. @throws PictureError; RangeError; DecoderEndedError */
  async pixels(): Promise<Picture> {
    const { header, body } = await this.#ask({ ask: "pixels" });
    return header.is === "pixels" ? { width: header.width, height: header.height, pixels: body } : unexpected(header);
  }

  /** Ends it at once; whoever waits for it hears why. */
  stop(why: DecoderEndedError["why"] = "stopped", detail = "it was stopped"): void {
    if (this.#end) return;
    const is = why === "crash" && !this.#isReady ? "start" : why;
    this.#end = new DecoderEndedError(is, `a decoding process is gone: ${detail}`);
    this.#child.kill("SIGKILL");
    this.#waiting?.reject(this.#end);
    this.#started.reject(this.#end);
  }

  #start(): void {
    this.#isReady = true;
    this.#started.resolve();
  }

  async #ask(question: Question, body: Uint8Array = new Uint8Array()) {
    if (this.#end) throw this.#end;
    this.#waiting = Promise.withResolvers();
    const { stdin } = this.#child;
    stdin!.write(frameHead(question, body.byteLength));
    if (body.byteLength > 0) stdin!.write(body);
    const watch = setInterval(() => this.#watchMemory(), pollMs);
    try {
      return await this.#waiting.promise;
    } finally {
      clearInterval(watch);
      this.#waiting = undefined;
    }
  }

  #watchMemory(): void {
    const held = residentBytes(this.#child.pid);
    if (held > this.#options.memoryBytes) this.stop("memory", `it held more than ${this.#options.memoryBytes} bytes`);
  }
}

/** Memory that a process holds, bytes; 0 where the system does not tell. */
function residentBytes(pid: number | undefined): number {
  try {
    const [, kibibytes = "0"] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return 0;
  }
}

/** @throws the error that the answer is */
function unexpected(answer: Answer): never {
  if (answer.is === "refused" || answer.is === "failed") throw errorOf(answer);
  throw new Error(`a decoding process answered ${answer.is} out of turn`);
}
