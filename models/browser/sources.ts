import { holdFile } from "../../engine/host/files.browser.ts";
import { FileError } from "../../engine/weights/files.ts";

/** Where the bytes of a weights file come from: an address, the answer to a request, a file that somebody chose, or the bytes. */
export type WeightsSource = string | URL | Response | Blob | ArrayBuffer | Uint8Array;

/** Told of bytes that have come, and of how many there will be, where the server says. */
export type OnBytes = (received: number, total: number | undefined) => void;

let unnamed = 0;

/**
 * Fetches the bytes of a source and holds them for the page's life: a model is loaded from them again when its device is lost.
 * @returns the name that they are opened by; a source of the same name takes its place
 * @throws FileError when they cannot be had
 */
export async function held(source: WeightsSource, onBytes: OnBytes = () => {}): Promise<string> {
  if (typeof source === "string" || source instanceof URL) {
    const address = String(source);
    const response = await fetch(address).catch((cause: unknown) => {
      throw new FileError(
        `${address} cannot be fetched: check the address, and that its server allows this page (CORS)`,
        {
          cause,
        },
      );
    });
    return hold(address, await bodyOf(response, address, onBytes));
  }
  if (source instanceof Response) return hold(source.url || name(), await bodyOf(source, source.url, onBytes));
  if (source instanceof Blob)
    return hold((source as Partial<File>).name ?? name(), new Uint8Array(await source.arrayBuffer()));
  if (source instanceof ArrayBuffer) return hold(name(), new Uint8Array(source));
  if (source instanceof Uint8Array) return hold(name(), source);
  throw new TypeError(`weights are an address, URL, Response, Blob, ArrayBuffer or Uint8Array; got ${typeof source}`);
}

const name = () => `weights ${++unnamed}.safetensors`;

function hold(named: string, bytes: Uint8Array): string {
  holdFile(named, bytes);
  return named;
}

async function bodyOf(response: Response, address: string, onBytes: OnBytes): Promise<Uint8Array> {
  if (!response.ok) throw new FileError(`${address} cannot be fetched: the server answered ${response.status}`);
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  // Of a compressed body the header tells other bytes than come out.
  const total = response.headers.has("content-encoding") || !Number.isFinite(length) ? undefined : length;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>> | null)?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader!.read()) {
    pieces.push(read.value);
    received += read.value.length;
    onBytes(received, total);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}
