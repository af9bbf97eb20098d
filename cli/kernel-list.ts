import { type Command, InvalidArgumentError } from "commander";
import { resolveConstants } from "../engine/harness/resolve.ts";
import { type CatalogueEntry, catalogueEntry, kernelNames } from "../engine/kernel/catalogue.ts";
import { type KernelSource, specialise } from "../engine/kernel/source.ts";
import { kernelText, shaderNames } from "../engine/kernel/text.ts";
import { emphasis, pairs } from "./terminal.ts";

/** Adds `list` and `show` to the command `kernel`. */
export function registerList(kernel: Command): void {
  kernel
    .command("list")
    .description("the engine's kernels with their constants and buffers")
    .argument("[word]", "only those whose name or first line has the word")
    .option("--json", "print one JSON document")
    .configureHelp({ showGlobalOptions: false })
    .action(list);
  kernel
    .command("show")
    .description("the source of a kernel or a part, or with constants the WGSL that the engine would run")
    .argument("<name>", "such as conv/tile")
    .option("--constants <list>", "such as OP=add,WORKGROUP=64", constantList)
    .option("--half <variables>", "storage variables kept as f16, such as x,y", (text: string) => text.split(","))
    .option("--json", "print one JSON document with the interface")
    .configureHelp({ showGlobalOptions: false })
    .action(show);
}

function constantList(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((entry) => {
      const match = /^\s*([A-Za-z_]\w*)=(.+?)\s*$/.exec(entry);
      if (!match) throw new InvalidArgumentError(`expected NAME=value, got "${entry}"`);
      return [match[1]!, match[2]!];
    }),
  );
}

function list(word: string | undefined, { json }: { readonly json?: boolean }): void {
  const wanted = word?.toLowerCase() ?? "";
  const entries = kernelNames()
    .map(catalogueEntry)
    .filter(({ name, summary }) => `${name} ${summary}`.toLowerCase().includes(wanted));
  if (json) console.log(JSON.stringify(entries, null, 2));
  else if (entries.length === 0) throw new Error(`no kernel has "${word}" in its name or first line`);
  else console.log(entries.map(entryText).join("\n\n"));
}

function entryText({ name, summary, constants, parts, bindings }: CatalogueEntry): string {
  const rows: [string, string][] = [["  buffers", bindings.map(bindingText).join(", ")]];
  if (constants.length > 0) rows.unshift(["  constants", constants.join(", ")]);
  if (parts.length > 0) rows.push(["  parts", parts.join(", ")]);
  return `${emphasis(name, "bold")}\n  ${summary}\n${pairs(rows)}`;
}

function bindingText({ name, type, writable }: CatalogueEntry["bindings"][number]): string {
  return `${name}: ${type}${writable ? " (written)" : ""}`;
}

interface ShowFlags {
  readonly constants?: Record<string, string>;
  readonly half?: string[];
  readonly json?: boolean;
}

function show(name: string, { constants, half, json }: ShowFlags): void {
  const { kernels, parts } = shaderNames();
  if (parts.includes(name)) {
    showPart(name, { constants, half, json });
    return;
  }
  if (!kernels.includes(name)) throw new Error(unknownText(name, kernels));
  const entry = catalogueEntry(name);
  const whole = constants !== undefined || half !== undefined || entry.constants.length === 0;
  if (!whole) {
    console.log(json ? JSON.stringify({ ...entry, wgsl: kernelText(name) }, null, 2) : kernelText(name).trimEnd());
    return;
  }
  const source = specialise(name, resolveConstants(constants ?? {}), half);
  console.log(json ? JSON.stringify(source, null, 2) : `${source.wgsl.trimEnd()}\n\n${interfaceText(source)}`);
}

/** A part is what its kernels make of it: it has a text and no interface. */
function showPart(name: string, { constants, half, json }: ShowFlags): void {
  if (constants !== undefined || half !== undefined)
    throw new Error(`${name} is a part of kernels and runs in none alone: leave out --constants and --half`);
  const usedBy = kernelNames().filter((kernel) => catalogueEntry(kernel).parts.includes(name));
  console.log(json ? JSON.stringify({ name, usedBy, wgsl: kernelText(name) }, null, 2) : kernelText(name).trimEnd());
}

/** What the dispatcher binds, as comments, so that the whole stays WGSL. */
function interfaceText({ bindings, parameters, parameterBinding, workgroup }: KernelSource): string {
  const rows = [
    `// workgroup ${workgroup.join(" x ")}`,
    ...bindings.map(
      ({ name, binding, writable }) => `// binding ${binding}: ${name}, ${writable ? "read and written" : "read"}`,
    ),
  ];
  if (parameters.length > 0) {
    const fields = parameters.map(({ name, type }, i) => `${name} ${type} at byte ${4 * i}`).join(", ");
    rows.push(`// binding ${parameterBinding}: params, ${4 * parameters.length} bytes: ${fields}`);
  }
  return rows.join("\n");
}

function unknownText(name: string, names: readonly string[]): string {
  const folder = `${name.split("/")[0]}/`;
  const last = name.split("/").at(-1)!;
  const siblings = names.filter((known) => known.startsWith(folder));
  const others = names.filter((known) => known.includes(last));
  const near = [...new Set([...siblings, ...others])].slice(0, 6);
  return `no kernel "${name}"${near.length > 0 ? `; did you mean ${near.join(", ")}?` : "; acutance kernel list shows them"}`;
}
