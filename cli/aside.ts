import { formatWithOptions } from "node:util";
import { printed } from "./output.ts";

/**
 * Runs `work` while everything that it prints on standard output goes to standard error, so that standard output stays a
 * document that a program can read.
 */
export async function printingAside<T>(work: () => Promise<T>): Promise<T> {
  const { stdout, stderr } = process;
  const write = stdout.write;
  // Bun's console does not print through process.stdout.
  const ways = ["log", "info", "debug", "dir", "table"] as const;
  const before = ways.map((name) => console[name]);
  stdout.write = stderr.write.bind(stderr) as typeof stdout.write;
  const print = (...values: unknown[]) => {
    stderr.write(`${formatWithOptions({ colors: false }, ...values)}\n`);
  };
  for (const name of ways) console[name] = print;
  printed.file = 2;
  try {
    return await work();
  } finally {
    stdout.write = write;
    printed.file = 1;
    for (const [i, name] of ways.entries()) console[name] = before[i]!;
  }
}
