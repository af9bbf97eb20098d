import type { z } from "@hono/zod-openapi";
import { type MosRange, prefetch } from "../data/index.ts";
import { Limit } from "../data/prefetch.ts";
import type { Scorer } from "../scorer.ts";
import type { QualityMap } from "../scoring/explain.ts";
import { Admission, type Place } from "./admission.ts";
import { deadline } from "./deadline.ts";
import { type FetchingOptions, fetchPicture } from "./fetch-picture.ts";
import type { Metrics } from "./metrics.ts";
import type { Limits } from "./options.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { answerSchema } from "./schemas.ts";
import { type BodyKind, kindOf, type SentPicture, sentPictures } from "./sent-pictures.ts";

/** What a request is found to be as it is answered, for log and metrics. */
export interface Account {
  readonly id: string;
  route: string;
  pictures: number;
  failed: number;
  bytes: number;
  /** Resolves when the last byte of a streamed answer is handed over. */
  streaming?: Promise<void>;
}

export type Answer = z.infer<typeof answerSchema>;

/** What is said of a picture, and why it has no score where it has none. */
interface ScoredRow {
  readonly line: Answer["pictures"][number];
  readonly problem?: Problem;
  /** The problem is that of the request: it is about this picture alone, or its body ends here. */
  readonly isOfRequest?: boolean;
}

export interface WorkOptions {
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** How pictures are fetched that are named by their URL; none are unless given. */
  readonly fetching?: FetchingOptions | undefined;
  /** Told of errors that are the service's own. */
  readonly onFailure: (account: Account, error: unknown) => void;
}

/** Fetches that run at a time, of all requests together. */
const mostFetches = 16;

/** A request that is being answered. */
interface Job extends Disposable {
  readonly place: Place;
  /** Aborts when the client is gone or the request is answered. */
  readonly signal: AbortSignal;
  readonly pictures: AsyncGenerator<SentPicture, void, undefined>;
}

/** From the body of a request to what is answered, within the limits. */
export class Work {
  readonly admission: Admission;
  readonly #options: WorkOptions;
  readonly #fetches = new Limit(mostFetches);

  constructor(options: WorkOptions) {
    this.#options = options;
    this.admission = new Admission(options.limits, () => options.metrics.secondsAPicture);
  }

  /**
   * Scores the picture that the body is, or those that it has or names, where a picture that is bad becomes a row.
   * @throws Problem when the request is refused, when the only picture is bad, or when the device fails
   */
  async score(request: Request, scorer: Scorer, account: Account): Promise<Answer> {
    using job = this.#begin(request, this.#accepted, account);
    const pictures: Answer["pictures"] = [];
    for await (const { line, problem, isOfRequest } of this.#rows(job, job.pictures, scorer, account)) {
      if (problem && (isOfRequest || problem.status >= 500)) throw problem;
      pictures.push(line);
    }
    const { name, card } = scorer;
    return { model: name, range: mutable(card.range), direction: "higher is better", pictures };
  }

  /**
   * The same as lines of JSON, each as soon as those before it are scored, while the rest of the body may still be on its way.
   * What is wrong with the body after the first line becomes the last one.
   * @throws Problem when the request is refused before
   */
  async stream(request: Request, scorer: Scorer, account: Account): Promise<ReadableStream<Uint8Array>> {
    const job = this.#begin(request, this.#accepted, account);
    try {
      const rows = this.#rows(job, withProblem(job.pictures), scorer, account);
      const first = await rows.next();
      if (first.done) throw new Error("a body has a picture or a problem");
      const { problem, isOfRequest } = first.value;
      if (problem && isOfRequest) throw problem;
      const ended = Promise.withResolvers<void>();
      account.streaming = ended.promise;
      const end = () => {
        job[Symbol.dispose]();
        ended.resolve();
      };
      const { bodySeconds: seconds } = this.#options.limits;
      return linesOf(first.value, rows, { signal: job.signal, end, seconds });
    } catch (error) {
      job[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws Problem when the request is refused; what `Scorer.explain` throws */
  async explain<T>(
    request: Request,
    scorer: Scorer,
    account: Account,
    { tiles, use }: { readonly tiles: number; readonly use: (map: QualityMap) => Promise<T> },
  ): Promise<T> {
    using job = this.#begin(request, ["picture"], account, tiles);
    const { value: picture } = await job.pictures.next();
    account.pictures = 1;
    using time = deadline(job.signal, this.#options.limits.scoreSeconds);
    return await use(await scorer.explain(picture!.content as Uint8Array, { tiles, signal: time.signal }));
  }

  get #accepted(): readonly BodyKind[] {
    return this.#options.fetching ? ["picture", "form", "urls", "lines"] : ["picture", "form"];
  }

  #begin(request: Request, accepted: readonly BodyKind[], account: Account, weight = 1): Job {
    const kind = kindOf(request, accepted);
    const place = this.admission.enter(weight);
    const life = deadline(request.signal);
    const onBytes = (bytes: number) => {
      account.bytes += bytes;
    };
    const { limits } = this.#options;
    const pictures = sentPictures(request, kind, place, { limits, signal: life.signal, onBytes });
    const end = () => {
      life[Symbol.dispose]();
      place[Symbol.dispose]();
    };
    return { place, signal: life.signal, pictures, [Symbol.dispose]: end };
  }

  /** The pictures' rows in order, some pictures ahead of the one handed out and no further. @throws what `pictures` does, at once */
  async *#rows(
    { place, signal }: Job,
    pictures: AsyncIterable<SentPicture | { readonly problem: Problem }>,
    scorer: Scorer,
    account: Account,
  ): AsyncGenerator<ScoredRow, void, undefined> {
    let count = 0;
    async function* admitted() {
      for await (const picture of pictures) {
        if (!("problem" in picture)) await place.take();
        yield { picture, index: count++ };
      }
    }
    const row = async (
      { picture, index }: { readonly picture: SentPicture | { readonly problem: Problem }; readonly index: number },
      wanted: AbortSignal,
    ): Promise<ScoredRow> => {
      if ("problem" in picture) {
        const { line, ...rest } = rowOf(index, "(body)", picture.problem, true);
        return { line: { ...line, ends: true }, ...rest };
      }
      account.pictures++;
      const fetched = { bytes: 0 };
      try {
        return await this.#row(picture, index, { scorer, place, account, wanted, fetched });
      } finally {
        place.leave(picture.heldBytes + fetched.bytes);
      }
    };
    const { ahead } = scorer;
    for await (const result of prefetch(admitted(), row, { ahead, concurrency: ahead, signal })) {
      if (!result.ok) throw result.error;
      yield result.value;
    }
  }

  async #row(
    { name, content, isAlone }: SentPicture,
    index: number,
    {
      scorer,
      place,
      account,
      wanted,
      fetched,
    }: {
      readonly scorer: Scorer;
      readonly place: Place;
      readonly account: Account;
      readonly wanted: AbortSignal;
      readonly fetched: { bytes: number };
    },
  ): Promise<ScoredRow> {
    const { metrics, onFailure, limits } = this.#options;
    try {
      const hold = (bytes: number) => {
        place.hold(bytes);
        fetched.bytes += bytes;
      };
      const bytes = content instanceof URL ? await this.#fetch(content, hold, wanted) : content;
      using time = deadline(wanted, limits.scoreSeconds);
      const { range, histogram, ...rest } = await scorer.score(bytes, { signal: time.signal, name });
      metrics.picture("scored");
      return { line: { index, name, ...rest, range: mutable(range), histogram: [...histogram] } };
    } catch (error) {
      const problem = problemOf(error);
      account.failed++;
      metrics.picture(problem.document.code);
      if (problem.status === 500) onFailure(account, error);
      return rowOf(index, name, problem, isAlone);
    }
  }

  #fetch(url: URL, hold: (bytes: number) => void, signal: AbortSignal): Promise<Uint8Array> {
    const { limits, fetching } = this.#options;
    return this.#fetches.run(() => {
      signal.throwIfAborted();
      const { maxBodyBytes: maxBytes, urlSeconds: seconds } = limits;
      return fetchPicture(url, { maxBytes, seconds, signal, hold }, fetching);
    });
  }
}

function rowOf(index: number, name: string, problem: Problem, isOfRequest: boolean): ScoredRow {
  return { line: { index, name, error: problem.document }, problem, isOfRequest };
}

/** The pictures, and as the last of them what ends them too early. */
async function* withProblem(
  pictures: AsyncIterable<SentPicture>,
): AsyncGenerator<SentPicture | { readonly problem: Problem }, void, undefined> {
  try {
    yield* pictures;
  } catch (error) {
    yield { problem: problemOf(error) };
  }
}

/**
 * Rows as lines of JSON, until `signal` aborts or nobody reads on for so many seconds.
 * @param end called once, when the last line was handed over or no further one will be
 */
function linesOf(
  first: ScoredRow,
  rows: AsyncIterator<ScoredRow, void>,
  { signal, end, seconds }: { readonly signal: AbortSignal; readonly end: () => void; readonly seconds: number },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: ScoredRow | undefined = first;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    end();
    Promise.resolve(rows.return?.()).catch(() => {});
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const gone = () => {
        if (isOver) return;
        controller.error(signal.reason);
        stop();
      };
      signal.addEventListener("abort", gone, { once: true });
      if (signal.aborted) gone();
    },
    async pull(controller) {
      clearTimeout(timer);
      try {
        next ??= (await rows.next()).value ?? undefined;
      } catch (error) {
        if (isOver) return;
        stop();
        throw error;
      }
      if (isOver) return;
      if (!next) {
        controller.close();
        stop();
        return;
      }
      controller.enqueue(encoder.encode(`${JSON.stringify(next.line)}\n`));
      next = undefined;
      timer = setTimeout(() => {
        controller.error(new Error(`nobody has read on for ${seconds} s`));
        stop();
      }, 1000 * seconds);
    },
    cancel: stop,
  });
}

/** A range as the schemas have it. */
export function mutable([low, high]: MosRange): [number, number] {
  return [low, high];
}
