import { type Command, InvalidArgumentError, Option } from "commander";
import { keepSecretsOf } from "../models/scale/redact.ts";
import { UsageError } from "./usage-error.ts";

export interface QueueFlags {
  readonly queue?: string;
  readonly local?: boolean;
  readonly name: string;
}

/** The options that say which queue. */
export function addQueueOptions(command: Command): Command {
  return command
    .option(
      "--queue <url>",
      "Redis or Valkey, such as redis://user:password@host:6379 (also ACUTANCE_QUEUE, REDIS_URL)",
    )
    .addOption(new Option("--local", "the Redis of this machine, at 127.0.0.1:6379").conflicts("queue"))
    .option("--name <word>", "the queue's name, where one Redis has several", "pictures");
}

const localUrl = "redis://127.0.0.1:6379";

/** What to do where this machine has no Redis. */
export const installWords = [
  "Install one, start it, and run the command again:",
  "  Debian, Ubuntu   sudo apt install redis-server     (or valkey-server)",
  "  Fedora           sudo dnf install valkey && sudo systemctl start valkey",
  "  macOS            brew install redis && brew services start redis",
  "  anywhere         docker run --publish 127.0.0.1:6379:6379 redis:7 --appendonly yes",
].join("\n");

/** The address of the queue. @throws UsageError when none is given */
export function queueUrl({ queue, local }: Pick<QueueFlags, "queue" | "local">): string {
  const url = local ? localUrl : (queue ?? process.env["ACUTANCE_QUEUE"] ?? process.env["REDIS_URL"]);
  if (!url)
    throw new UsageError(
      "no queue is given: --queue redis://host:6379, the environment variable ACUTANCE_QUEUE, or --local for the Redis of this machine",
    );
  keepSecretsOf(url);
  return url;
}

/** Where to listen: a port, or an address and a port. */
export function listenAddress(text: string): { host: string; port: number } {
  const [, host = "127.0.0.1", port] = /^(?:\[?([^\]]*?)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535)
    throw new InvalidArgumentError("expected a port or address:port, such as 9090 or 0.0.0.0:9090");
  return { host, port: Number(port) };
}
