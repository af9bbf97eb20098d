import type { Option } from "commander";

/** Options of the library that commands call by another name. */
const otherwise: Readonly<Record<string, string>> = {
  memoryLimitBytes: "--memory",
  latencyMs: "--latency",
  checkNumbers: "--check-numbers",
  maxBodyBytes: "--max-body",
  maxHeldBytes: "--max-held",
  minBodyRate: "--min-rate",
  decoderBytes: "--decoder-memory",
};

/** The flag of an option of the library, without its dashes. */
export function flagOf(name: string): string {
  return otherwise[name]?.slice(2) ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * A message of the library with the flags of a command in place of the library's option names: those in back-quotes
 * (`crop` → --crop), and those that cannot be taken for a word (maxPixels, limits.maxPixels → --max-pixels). What stands in
 * quotes, in a path or in a longer word is left as it is, and so is what the command has no flag for.
 */
export function inFlags(message: string, options: readonly Option[]): string {
  const flags = new Map(options.map((option) => [option.attributeName(), option.long ?? option.flags]));
  for (const [name, flag] of Object.entries(otherwise)) {
    if (options.some(({ long }) => long === flag)) flags.set(name, flag);
  }
  return message.replace(
    /"(?:[^"\\]|\\.)*"|`(?:limits\.)?([a-z][A-Za-z]*)`|(?<![\w./\\-])(?:limits\.)?([a-z]+[A-Z][A-Za-z]*)(?![\w/\\=-]|\.\w)/g,
    (whole, quoted?: string, bare?: string) => flags.get(quoted ?? bare ?? "") ?? whole,
  );
}
