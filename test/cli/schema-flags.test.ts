import { expect, test } from "bun:test";
import { Command } from "commander";
import { z } from "zod";
import { addSchemaFlags, schemaOptions } from "../../cli/schema-flags.ts";
import { register } from "../../cli/serve.ts";
import { limitsSchema } from "../../models/service/options.ts";

const serve = () => {
  const program = new Command();
  register(program);
  return program.commands.find((command) => command.name() === "serve")!;
};

test("every limit of the service is a flag of serve, with its default", () => {
  const { options } = serve();
  const shown = options.map(({ flags, defaultValue }) => [flags, defaultValue]);
  expect(shown).toEqual(
    expect.arrayContaining([
      ["--max-body <size>", 67_108_864],
      ["--max-held <size>", 1_073_741_824],
      ["--max-pixels <n>", 50_000_000],
      ["--max-pictures <n>", 64],
      ["--max-queue <n>", 1024],
      ["--body-seconds <s>", 30],
      ["--min-rate <size>", 1024],
      ["--decoders <n>", undefined],
      ["--decode-seconds <s>", 8],
      ["--decoder-memory <size>", 1_073_741_824],
      ["--score-seconds <s>", 120],
      ["--url-seconds <s>", 10],
    ]),
  );
  expect(new Set(options.map(({ long }) => long)).size).toBe(options.length);
  const texts = options.map(({ description }) => description);
  for (const field of Object.values(limitsSchema.shape)) expect(texts).toContain(field.description!);
});

test("flags are the limits that the library takes", () => {
  const command = serve();
  command.parseOptions(["--max-body", "2MiB", "--decoders", "0", "--decode-seconds", "3"]);
  const limits = schemaOptions(limitsSchema.shape, command.opts());
  const { decoders: _, ...defaults } = limitsSchema.parse({});
  expect(limits).toEqual({ ...defaults, maxBodyBytes: 2 * 2 ** 20, decoders: 0, decodeSeconds: 3 });
});

test("a field of a schema is a flag: name, unit, text, default and least value", () => {
  const fields = {
    cacheBytes: z.int().min(1).default(1024).describe("bytes that are kept"),
    coolSeconds: z.number().positive().default(5).describe("time to cool"),
    mostTries: z.int().min(0).optional().describe("tries"),
  };
  const command = addSchemaFlags(new Command(), fields)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  expect(command.options.map(({ flags, description, defaultValue }) => [flags, description, defaultValue])).toEqual([
    ["--cache-bytes <size>", "bytes that are kept", 1024],
    ["--cool-seconds <s>", "time to cool", 5],
    ["--most-tries <n>", "tries", undefined],
  ]);
  expect(() => command.parse(["--cool-seconds", "0"], { from: "user" })).toThrow("a whole number of at least 1");
  expect(() => command.parse(["--most-tries", "-1"], { from: "user" })).toThrow("a whole number of at least 0");
  command.parse(["--cache-bytes", "4KiB"], { from: "user" });
  expect(schemaOptions(fields, command.opts())).toEqual({ cacheBytes: 4096, coolSeconds: 5 });
});
