import { collectOutput } from "./collect-output.ts";

/** What Dawn says of every adapter with generous limits when it looks for one; it concerns nobody. */
const noise = /^Warning: maxDynamic\w+ artificially reduced.*\n/gm;

/** The end of the collecting last asked for. A redirection must end before the next begins: each gives back what it found. */
let collecting: Promise<unknown> = Promise.resolve();

/** Dawn writes its warnings straight to the process's standard error; they are collected, and all but {@link noise} printed afterwards. */
export function quietly<T>(work: () => Promise<T>): Promise<T> {
  const result = collecting.then(async () => {
    const collected = await collectOutput(2);
    try {
      return await work();
    } finally {
      const worth = collected().replace(noise, "");
      if (worth) process.stderr.write(worth);
    }
  });
  collecting = result.catch(() => {});
  return result;
}
