import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { collectOutput } from "../engine/device/collect-output.ts";
import { openDevice } from "../engine/device/open.ts";
import type { Profile } from "../engine/profile/profile.ts";

/**
 * Writes the specialised source of every kernel of a profile, `<kernel>-<hash>.wgsl`, with the layout of its bindings at the
 * top, and beside it what Dawn makes of it, `<kernel>-<hash>.dawn.txt`, where Dawn is the provider and tells.
 */
export async function dumpSources(profile: Profile, folder: string): Promise<{ kernels: number; dumps: number }> {
  await mkdir(folder, { recursive: true });
  const { kernels, sources } = profile;
  const named = Object.entries(sources).map(([hash, wgsl]) => {
    const users = kernels.filter(({ source }) => source === hash);
    return { wgsl, users, path: join(folder, `${users[0]!.kernel.replaceAll(/[^\w.-]+/g, "-")}-${hash}`) };
  });
  for (const { wgsl, users, path } of named) await writeFile(`${path}.wgsl`, `${heading(users)}\n${wgsl}\n`);
  const points = named.map(({ wgsl, users }) => ({ wgsl, entry: users[0]!.entryPoint ?? "main" }));
  const dumps = profile.machine.provider.startsWith("webgpu") ? await dawnDumps(points) : [];
  for (const [i, text] of dumps.entries()) if (text) await writeFile(`${named[i]!.path}.dawn.txt`, text);
  return { kernels: named.length, dumps: dumps.filter(Boolean).length };
}

function heading(users: readonly Profile["kernels"][number][]): string {
  const { kernel, constants, halves, workgroup, workgroupBytes } = users[0]!;
  return [
    `// ${kernel}  ${JSON.stringify(constants)}${halves.length > 0 ? `  f16: ${halves.join(", ")}` : ""}`,
    `// workgroup ${workgroup.join(" x ")}, ${workgroupBytes} bytes of workgroup memory`,
    ...users.map(({ op, layer, phase, grid, shapes }) => {
      const layout = Object.entries(shapes).map(([name, shape]) => `${name} ${shape}`);
      return `// ${[phase, op, layer].filter(Boolean).join(" ")}: grid ${grid.join(" x ")}, ${layout.join(", ")}`;
    }),
  ].join("\n");
}

/** What Dawn writes of each source to standard output while it compiles it: on a device of its own, since it tells all or nothing. */
async function dawnDumps(sources: readonly { readonly wgsl: string; readonly entry: string }[]): Promise<string[]> {
  // What the command has printed is out before anything is redirected.
  await new Promise((resolve) => process.stdout.write("", resolve));
  const quiet = await collectOutput(2);
  try {
    using device = await openDevice({ provider: "webgpu", toggles: { enable: ["dump_shaders"] } });
    const texts: string[] = [];
    for (const { wgsl: code, entry } of sources) {
      const collected = await collectOutput(1);
      try {
        // What a program has compiled may not compile here: there is no dump of it then.
        device.gpu.pushErrorScope("validation");
        const module = device.gpu.createShaderModule({ code });
        if (entry) device.gpu.createComputePipeline({ layout: "auto", compute: { module, entryPoint: entry } });
        await device.gpu.popErrorScope();
        await device.gpu.queue.onSubmittedWorkDone();
      } finally {
        texts.push(collected());
      }
    }
    return texts;
  } finally {
    quiet();
  }
}
