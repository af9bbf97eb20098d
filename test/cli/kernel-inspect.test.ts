import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { profileSchema } from "../../engine/profile/profile.ts";
import { missing } from "../engine/inspect/radv.ts";
import { chromiumPath, launch, openWatched } from "../models/report/chromium.ts";
import { acutanceIn } from "./acutance-in.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-inspect-"));
afterAll(() => rmSync(folder, { recursive: true }));
const acutance = acutanceIn(() => folder);
const inspect = (...words: string[]) => acutance("kernel", "inspect", ...words);
const withRadv = test.skipIf(missing !== undefined);

writeFileSync(
  join(folder, "polynomial.wgsl"),
  `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size({{WG}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  var value = y[id.x];
  for (var turn = 0u; turn < arrayLength(&y); turn++) {
    //#for i in 0..TERMS
    value = fma(value, value, {{i}}.5);
    //#end
  }
  y[id.x] = value;
}
`,
);
writeFileSync(join(folder, "polynomial.toml"), 'kernel = "polynomial.wgsl"\n[constants]\nWG = 64\nTERMS = 8\n');
const constants = ["-c", "WG=64", "-c", "TERMS=8"];

/** Cells of a row of the table. */
function row(text: string, name: string): string[] {
  const line = text.split("\n").find((found) => found.trim().startsWith(name));
  return (line ?? "").trim().slice(name.length).trim().split(/ {2,}/);
}

withRadv("a file: one table over GPUs, in the order asked for", () => {
  const { status, stdout, stderr } = inspect("polynomial.wgsl", ...constants, "--gpu", "navi31,vega10,gfx1200");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout.split("\n")[0]!.trim().split(/\s+/)).toEqual(["navi31", "vega10", "gfx1200"]);
  expect(row(stdout, "architecture")).toEqual(["RDNA 3", "GCN", "RDNA 4"]);
  expect(row(stdout, "lanes of a wave")).toEqual(["64", "64", "64"]);
  expect(row(stdout, "multiply-add")).toEqual(["8", "8", "8"]);
  expect(row(stdout, "spills, vector + scalar")).toEqual(["0 + 0", "0 + 0", "0 + 0"]);
  expect(row(stdout, "limited by")).toEqual(["wave slots", "wave slots", "wave slots"]);
  expect(row(stdout, "waves of a SIMD")).toEqual(["16", "10", "16"]);
  expect(row(stdout, "hottest loop").every((label) => /^BB\d+$/.test(label))).toBe(true);
  expect(stdout).toContain("Estimates are the compiler's, in cycles, and no measurement");
});

withRadv("--asm marks the loop and nothing else; --wave is the wave", () => {
  const { stdout } = inspect("polynomial.toml", "--gpu", "navi31", "--wave", "32", "--asm");
  expect(stdout).toContain("polynomial.wgsl for navi31, waves of 32; | the hottest loop, from BB");
  const marked = stdout.split("\n").filter((line) => line.startsWith("| "));
  expect(marked.filter((line) => /v_(fma|fmac|fmaak|dual_fma\w*)_?f32/.test(line)).length).toBe(8);
  expect(marked.some((line) => line.includes("buffer_"))).toBe(false);
});

withRadv("--json has all figures, assembly and source, --html both side by side", () => {
  const { status, stdout } = inspect("polynomial.toml", "--gpu", "navi21", "--json", "--html", "page.html");
  expect(status).toBe(0);
  const { results } = JSON.parse(stdout);
  const [{ wgsl, outcomes }] = results;
  expect(wgsl).toContain("value = fma(value, value, 7.5);");
  expect(outcomes[0].inspection).toMatchObject({
    gpu: "navi21",
    wave: 64,
    workgroup: [64, 1, 1],
    spilledVectorRegisters: 0,
    occupancy: { waves: 16, limit: "wave slots" },
    hottestLoop: { multiplyAdds: 8, depth: 0 },
  });
  expect(outcomes[0].inspection.assembly).toContain("s_endpgm");
  const page = readFileSync(join(folder, "page.html"), "utf8");
  expect(page).toContain("value = fma(value, value, 7.5);");
  expect(page).toContain("<h2>navi21, waves of 64</h2>");
  expect(page.match(/<mark>[^<]*v_fma/g)!.length).toBe(8);
});

withRadv("--sweep: every point, the least estimate first, what does not compile with its reason", () => {
  const { status, stdout } = inspect(
    "polynomial.wgsl",
    "-c",
    "TERMS=8",
    "--gpu",
    "navi31,vega10",
    "--sweep",
    "WG=64,5000",
    "--sweep",
    "TERMS=2,16",
  );
  expect(status).toBe(0);
  const rows = stdout
    .split("\n")
    .filter((line) => /^\s*64 /.test(line))
    .map((line) => line.trim().split(/ {2,}/));
  expect(rows.map(([, terms, gpu]) => [terms, gpu])).toEqual([
    ["16", "navi31"],
    ["2", "navi31"],
    ["16", "vega10"],
    ["2", "vega10"],
  ]);
  const estimates = rows.map((cells) => Number(cells.at(-1)));
  expect(estimates[0]!).toBeLessThan(estimates[1]!);
  expect(stdout).toMatch(/WG=5000 TERMS=2: polynomial\.wgsl: no pipeline: .*5000/s);
});

withRadv("an engine's kernel, as the engine runs it, f16 buffers too", () => {
  const words = ["elementwise/binary", "-c", "OP=add", "-c", "WORKGROUP=64", "--gpu", "navi31"];
  const full = inspect(...words);
  const half = inspect(...words, "--half", "a,b,y", "--json");
  expect(full.stdout).toContain("none");
  const code = JSON.parse(half.stdout).results[0].outcomes[0].inspection;
  expect(code.assembly).toMatch(/buffer_load_(b64|dwordx2)/);
});

describe("what is wrong is said", () => {
  const cases: readonly [name: string, words: string[], message: string | RegExp, needed?: boolean][] = [
    [
      "an unknown GPU",
      ["polynomial.wgsl", ...constants, "--gpu", "navi99"],
      'there is no GPU "navi99" to compile for; there are tahiti',
    ],
    ["an empty list", ["polynomial.wgsl", ...constants, "--gpu", ","], 'there is no GPU ""'],
    [
      "no such kernel",
      ["conv/none", "--gpu", "navi31"],
      "conv/none: no such file, and no built-in kernel of that name",
    ],
    [
      "a constant that is missing",
      ["polynomial.wgsl", "-c", "WG=64", "--gpu", "navi31"],
      "polynomial.wgsl:6: constant TERMS was not given; given: WG",
    ],
    [
      "constants of an engine's kernel",
      ["elementwise/binary", "-c", "OP=add", "--gpu", "navi31"],
      /constant WORKGROUP was not given; given: OP; elementwise\/binary takes .*WORKGROUP.*acutance kernel show elementwise\/binary/,
    ],
    [
      "a constant that nothing uses",
      ["polynomial.wgsl", ...constants, "-c", "OTHER=1", "--gpu", "navi31"],
      "constant OTHER is used neither",
    ],
    [
      "a wave that there is not",
      ["polynomial.wgsl", ...constants, "--gpu", "navi31", "--wave", "16"],
      "Allowed choices are 32, 64",
    ],
    [
      "a wave that the GPU does not have",
      ["polynomial.wgsl", ...constants, "--gpu", "vega10", "--wave", "32"],
      "vega10 (GCN) has waves of 64 lanes, not of 32",
      true,
    ],
    [
      "the assembly of a sweep",
      ["polynomial.wgsl", ...constants, "--sweep", "TERMS=1,2", "--asm", "--gpu", "navi31"],
      "--asm shows one kernel",
    ],
    [
      "f16 of a file",
      ["polynomial.wgsl", ...constants, "--half", "y", "--gpu", "navi31"],
      "--half is for the engine's kernels",
    ],
    [
      "a page without a place",
      ["polynomial.wgsl", ...constants, "--html", "none/page.html", "--gpu", "navi31"],
      "--html none/page.html",
    ],
    [
      "an entry point that there is not",
      ["polynomial.wgsl", ...constants, "--entry", "other", "--gpu", "navi31"],
      "has no entry point other; it has main",
      true,
    ],
  ];
  for (const [name, words, message, needed] of cases) {
    test.skipIf(needed === true && missing !== undefined)(name, () => {
      const { status, stdout, stderr } = inspect(...words);
      expect(stderr).toMatch(
        typeof message === "string" ? new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : message,
      );
      expect(stdout).toBe("");
      expect(status).toBe(2);
    });
  }

  withRadv("WGSL that does not compile, with its line, and exit code 1", () => {
    writeFileSync(
      join(folder, "bad.wgsl"),
      "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n@compute @workgroup_size(1)\nfn main() { y[0] = 1u; }\n",
    );
    const { status, stdout } = inspect("bad.wgsl", "--gpu", "navi31,navi21");
    expect(status).toBe(1);
    expect(stdout).toContain("bad.wgsl was compiled for none");
    expect(stdout).toMatch(/bad\.wgsl:3:18: cannot assign 'u32' to 'f32'/);
    expect(stdout.match(/cannot assign/g)).toHaveLength(1);
  });

  withRadv("without --gpu the adapter at hand, or that its driver does not tell", () => {
    const { status, stdout, stderr } = inspect("polynomial.wgsl", ...constants);
    if (status === 0) expect(stdout).toContain("vector registers");
    else
      expect(stderr).toMatch(
        /does not tell what it makes of a kernel .*; --gpu compiles for GPUs that are not here: tahiti/,
      );
  });
});

describe("beside other figures", () => {
  const words = "kernel run polynomial.wgsl -c TERMS=8 -b y=64 --grid 1 --runs 1 --no-roofs --no-bounds";

  withRadv("kernel run --inspect: registers, spills and waves of a run and of a sweep", () => {
    const one = acutance(...words.split(" "), "-c", "WG=64", "--inspect", "--gpu", "navi31,vega10");
    expect(one.status).toBe(0);
    expect(one.stdout).toMatch(/^navi31 +\d+ vector and \d+ scalar registers, 0 spilled, 16 waves of 64 lanes/m);
    expect(one.stdout).toMatch(/^vega10 +\d+ vector and \d+ scalar registers, 0 spilled, 10 waves of 64 lanes/m);
    const sweep = acutance(...words.split(" "), "--sweep", "WG=64,128", "--inspect", "--gpu", "vega10", "--csv");
    const rows = sweep.stdout.trim().split("\n");
    expect(rows[0]).toEndWith("problem,vega10_vector_registers,vega10_spills,vega10_waves");
    // Sixteen workgroups of two waves at most on four SIMDs.
    expect(
      rows
        .slice(1)
        .map((line) => [line.split(",")[0], line.split(",").at(-1)])
        .sort(),
    ).toEqual([
      ["128", "8"],
      ["64", "10"],
    ]);
  });

  withRadv(
    "profile --inspect of a program: registers and assembly by entry point and overrides, the hottest loop found",
    () => {
      const heat = fileURLToPath(new URL("../engine/profile/program/heat.mjs", import.meta.url));
      const flags = ["--no-roofs", "--json", "heat.json", "--inspect", "--gpu", "navi31"];
      const { status, stderr } = acutance("profile", ...flags, "--", process.execPath, heat, "10", "64");
      expect([status, stderr.includes("not inspected")]).toEqual([0, false]);
      const profile = profileSchema.parse(JSON.parse(readFileSync(join(folder, "heat.json"), "utf8")));
      const codeOf = (name: string) => profile.kernels.find(({ kernel }) => kernel === name)!.machineCode![0]!;
      for (const name of ["heat step", "sumRows"]) {
        const code = codeOf(name);
        expect(code).toMatchObject({ gpu: "navi31", spilledVectorRegisters: 0 });
        expect(profile.assemblies![code.assembly!]).toContain("s_endpgm");
      }
      expect(codeOf("sumRows").hotLines!.length).toBeGreaterThan(3);
      expect(codeOf("heat step").assembly).not.toBe(codeOf("sumRows").assembly);
    },
  );

  withRadv("a captured dispatch is inspected with its overrides", () => {
    const heat = fileURLToPath(new URL("../engine/profile/program/heat.mjs", import.meta.url));
    const flags = ["--no-roofs", "--capture", "heat step", "--capture-file", "step.zip"];
    expect(acutance("profile", ...flags, "--", process.execPath, heat, "10", "64").status).toBe(0);
    const { status, stdout } = inspect("step.zip", "--gpu", "navi31");
    expect(status).toBe(0);
    expect(stdout).toContain("vector registers");
  });

  test("targets without --inspect are refused", () => {
    expect(acutance(...words.split(" "), "-c", "WG=64", "--gpu", "navi31").stderr).toContain("--gpu is for --inspect");
    expect(acutance("profile", "--gpu", "navi31", "--", "bench").stderr).toContain("--gpu is for --inspect");
    expect(acutance("profile", "--wave", "32", "--", "bench").stderr).toContain("--wave is for --inspect");
  });

  withRadv("profile --inspect: every kernel of the table, of JSON, CSV and page", async () => {
    const files = "--json p.json --csv p.csv --html p.html";
    const { status, stdout, stderr } = acutance(
      ...`profile --no-roofs --inspect --gpu navi31,vega10 ${files} -- bench --runs 1 --match depthwise`.split(" "),
    );
    expect(stderr).not.toContain("note: not inspected");
    expect(status).toBe(0);
    expect(stdout).toMatch(/navi31: registers +spills +waves +vega10: registers +spills +waves/);
    const profile = profileSchema.parse(JSON.parse(readFileSync(join(folder, "p.json"), "utf8")));
    const dispatched = profile.kernels.filter(({ source }) => source !== "");
    expect(dispatched.length).toBeGreaterThan(0);
    for (const { machineCode } of dispatched) {
      expect(machineCode!.map(({ gpu }) => gpu)).toEqual(["navi31", "vega10"]);
      for (const { vectorRegisters, waves } of machineCode!) {
        expect(vectorRegisters).toBeGreaterThan(0);
        expect(waves).toBeGreaterThan(0);
      }
    }
    expect(readFileSync(join(folder, "p.csv"), "utf8").split("\n")[0]).toContain(
      "navi31_vector_registers,navi31_spills,navi31_waves",
    );
    await expectColumns(join(folder, "p.html"));
  });

  withRadv("profile --inspect without a GPU ends before the command where the driver does not tell", () => {
    const { status, stdout, stderr } = acutance(
      "profile",
      "--inspect",
      "--",
      "bench",
      "--runs",
      "1",
      "--match",
      "softmax",
    );
    if (status === 0) expect(stdout).toContain("registers");
    else expect(stderr).toContain("--gpu compiles for GPUs that are not here");
  });
});

/** The page shows the columns, and what it shows of a kernel tells of each GPU. */
async function expectColumns(path: string): Promise<void> {
  if (chromiumPath === undefined) return;
  const browser = await launch();
  try {
    const { page, complaints } = await openWatched(browser, pathToFileURL(path).href, 1800);
    const heads = await page.locator("#kernel-table th button").allTextContents();
    expect(heads).toContain("navi31 registers");
    expect(heads).toContain("vega10 waves");
    // The first row may be a copy, which no kernel makes.
    await page.locator("#kernel-table tbody tr", { hasText: "depthwise" }).first().click();
    expect(await page.getByText(/^navi31, waves of (32|64)$/).count()).toBe(1);
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
}
