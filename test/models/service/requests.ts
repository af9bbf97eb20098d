import { expect } from "bun:test";
import { problemSchema } from "../../../models/service/index.ts";

/** Node wants to be told that a body may be a stream (`duplex`). */
export const post = (
  path: string,
  body: Uint8Array<ArrayBuffer> | ReadableStream | FormData | string,
  headers: Record<string, string> = { "content-type": "image/png" },
) => new Request(`http://localhost${path}`, { method: "POST", body, headers, duplex: "half" } as RequestInit);
export const get = (path: string, headers: Record<string, string> = {}) =>
  new Request(`http://localhost${path}`, { headers });

/** The files as a form, each with a number as its name. Of bytes: undici's own body of a form fails when it is not read to its end. */
export function form(files: readonly Uint8Array<ArrayBuffer>[], path = "/v1/score"): Request {
  const boundary = "----by-hand";
  const parts = files.flatMap((bytes, i) => {
    const head = `content-disposition: form-data; name="pictures"; filename="${i}.image"\r\ncontent-type: image/png`;
    return [Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), bytes, Buffer.from("\r\n")];
  });
  const body = new Uint8Array(Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]));
  return post(path, body, { "content-type": `multipart/form-data; boundary=${boundary}` });
}

/** The problem that a response is. */
export async function problem(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const document = problemSchema.parse(await response.json());
  expect(document.status).toBe(response.status);
  return document;
}

/** A body that waits until it is let go. */
export function held(bytes: Uint8Array<ArrayBuffer>) {
  const gate = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await gate.promise;
      controller.enqueue(bytes);
      controller.close();
    },
  });
  return { body, release: () => gate.resolve() };
}

/** The bytes of a form, as the runtime writes it, and the type to send them with. */
export async function formBytes(files: readonly Uint8Array<ArrayBuffer>[]) {
  const data = new FormData();
  files.forEach((bytes, i) => {
    data.append("pictures", new File([bytes], `${i}.image`));
  });
  const response = new Response(data);
  return { type: response.headers.get("content-type")!, bytes: new Uint8Array(await response.arrayBuffer()) };
}

/** A body that is handed out in these pieces, and tells how many were asked for. */
export function inPieces(pieces: Iterable<Uint8Array | Promise<Uint8Array>>) {
  const source = pieces[Symbol.iterator]();
  const asked = { pieces: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = source.next();
        if (done) return controller.close();
        asked.pieces++;
        controller.enqueue(await value);
      },
      cancel() {
        asked.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, asked };
}

/** The value of a figure that the service gives to Prometheus. */
export async function figure(service: { fetch(request: Request): Promise<Response> }, name: string): Promise<number> {
  const text = await (await service.fetch(get("/metrics"))).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]);
}

/**
 * Does what must take less than a time, once more where the machine was too busy for it.
 * @param undo ends what the one before left, before it is done once more
 */
export async function promptly<T>(
  withinMs: number,
  work: () => Promise<T>,
  undo: (result: T) => Promise<unknown> = async () => {},
): Promise<T> {
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    const result = await work();
    if (performance.now() - start < withinMs) return result;
    await undo(result);
  }
  throw new Error(`ten times it took more than ${withinMs} ms`);
}
