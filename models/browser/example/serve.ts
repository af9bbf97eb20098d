// `bun run example:browser [port]`: the example page on this computer. Bundle first: `bun run build:browser`.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";

const root = new URL("../../../", import.meta.url);

/** What is served, by the beginning of its path. */
const served = [
  [/^\/$/, () => "models/browser/example/index.html"],
  [/^\/(page\.(?:js|css))$/, (name: string) => `models/browser/example/${name}`],
  [/^\/(dist\/browser\/index\.js|models\/weights\/[\w-]+\.safetensors)$/, (path: string) => path],
] as const;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

/**
 * Serves the example.
 * @param port 0 for one that is free
 * @param bundle text of the bundle; by default what `bun run build:browser` made
 * @returns the server and the page's address
 */
export async function serveExample(port = 0, bundle?: string): Promise<{ server: Server; address: string }> {
  const server = createServer(async ({ url = "/" }, answer) => {
    const { pathname } = new URL(url, "http://localhost");
    const found = served.flatMap(([pattern, file]) => {
      const match = pattern.exec(pathname);
      return match ? [file(match[1] ?? "")] : [];
    })[0];
    const isGiven = bundle !== undefined && found === "dist/browser/index.js";
    const read = () => found && readFile(new URL(found, root)).catch(() => undefined);
    const bytes = isGiven ? Buffer.from(bundle) : await read();
    if (!found || !bytes) return answer.writeHead(404).end();
    answer.writeHead(200, {
      "content-type": types[extname(found)] ?? "application/octet-stream",
      "content-length": bytes.length,
    });
    return answer.end(bytes);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const { port: taken } = server.address() as { port: number };
  return { server, address: `http://127.0.0.1:${taken}/` };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { address } = await serveExample(Number(process.argv[2] ?? 8081));
  console.log(`The example is at ${address} (Ctrl-C ends it).`);
}
