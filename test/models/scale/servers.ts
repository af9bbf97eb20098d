import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Why tests with a Redis are skipped; undefined where there is one. */
export const withoutRedis =
  spawnSync("redis-server", ["--version"]).status === 0 ? undefined : "redis-server is not installed";
// Where it must be tested, as in CI, its absence is a failure.
if (globalThis.process.env["ACUTANCE_NEEDS_REDIS"] === "1" && withoutRedis !== undefined) throw new Error(withoutRedis);

const postgresFolder = ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"].find(
  (folder) => existsSync(join(folder, "initdb")),
);

/** Why tests with a PostgreSQL are skipped. */
export const withoutPostgres = postgresFolder ? undefined : "PostgreSQL is not installed";

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A server in a process of its own. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Ends it as an administrator would, or at once. */
  stop(signal?: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const heard = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "error").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return heard;
}

async function process(port: number, begin: () => ChildProcess): Promise<Omit<Server, "url">> {
  let child: ChildProcess | undefined;
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  };
  const start = async () => {
    child = begin();
    let complaints = "";
    child.stdout?.on("data", (data) => (complaints += data));
    child.stderr?.on("data", (data) => (complaints += data));
    for (let tries = 0; !(await answers(port)); tries++) {
      if (child.exitCode !== null || tries === 200) throw new Error(`a server did not start: ${complaints}`);
      await sleep(50);
    }
  };
  await start();
  return { port, stop, start, [Symbol.asyncDispose]: () => stop("SIGKILL") };
}

/** Starts a Redis on a free port, which keeps what it holds in the folder. @param words options of redis-server */
export async function startRedis(folder: string, words: readonly string[] = [], password?: string): Promise<Server> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  const server = await process(port, () =>
    spawn("redis-server", [...fixed, ...(password ? ["--requirepass", password] : []), ...words], { stdio: "pipe" }),
  );
  return { ...server, url: `redis://${password ? `:${encodeURIComponent(password)}@` : ""}127.0.0.1:${port}` };
}

/** Starts a PostgreSQL on a free port with an empty database `scores`. */
export async function startPostgres(folder: string, password: string): Promise<Server> {
  const port = await freePort();
  // It does not run as root.
  const as =
    globalThis.process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
  const run = (words: string[], input?: string) => {
    const { status, stderr, stdout } = spawnSync(
      as[0] ?? words[0]!,
      as[0] ? [...as.slice(1), ...words] : words.slice(1),
      { encoding: "utf8", input, cwd: "/tmp" },
    );
    if (status !== 0) throw new Error(`${words.join(" ")}: ${stdout}${stderr}`);
  };
  mkdirSync(folder, { recursive: true });
  if (as.length > 0) spawnSync("chown", ["postgres", folder]);
  const data = join(folder, "data");
  run([
    "bash",
    "-c",
    `${postgresFolder}/initdb --no-sync --username=acutance --auth=scram-sha-256 --pwfile=<(echo '${password}') --pgdata='${data}'`,
  ]);
  const words = [
    `${postgresFolder}/postgres`,
    "-D",
    data,
    "-p",
    String(port),
    "-k",
    "",
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    "fsync=off",
  ];
  const server = await process(port, () =>
    spawn(as[0] ?? words[0]!, as[0] ? [...as.slice(1), ...words] : words.slice(1), { stdio: "pipe", cwd: "/tmp" }),
  );
  const url = (database: string) => `postgres://acutance:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  for (let tries = 0; ; tries++) {
    const { status, stderr } = spawnSync("psql", [url("postgres"), "-c", "CREATE DATABASE scores"], {
      encoding: "utf8",
    });
    if (status === 0) break;
    if (tries === 40) throw new Error(stderr);
    await sleep(250);
  }
  return { ...server, url: url("scores") };
}
