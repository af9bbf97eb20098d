import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Profile } from "../engine/profile/profile.ts";

/** Writes the specialised source of every kernel of a profile, with the layout of its bindings at the top. */
export async function dumpSources({ kernels, sources }: Profile, folder: string): Promise<{ kernels: number; dumps: number }> {
  await mkdir(folder, { recursive: true });
  for (const [hash, wgsl] of Object.entries(sources)) {
    const users = kernels.filter(({ source }) => source === hash);
    const { kernel, constants, halves, workgroup, workgroupBytes } = users[0]!;
    const head = [
      `// ${kernel}  ${JSON.stringify(constants)}${halves.length > 0 ? `  f16: ${halves.join(", ")}` : ""}`,
      `// workgroup ${workgroup.join(" x ")}, ${workgroupBytes} bytes of workgroup memory`,
      ...users.map(({ op, layer, phase, grid, shapes }) => {
        const layout = Object.entries(shapes).map(([name, shape]) => `${name} ${shape}`);
        return `// ${phase} ${op} ${layer}  grid ${grid.join(" x ")}  ${layout.join("  ")}`;
      }),
    ];
    await writeFile(join(folder, `${kernel.replaceAll("/", "-")}-${hash}.wgsl`), `${head.join("\n")}\n${wgsl}\n`);
  }
  return { kernels: Object.keys(sources).length, dumps: 0 };
}
