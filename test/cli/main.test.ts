import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

function acutance(words: string[], environment: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...environment },
  });
  return { status, stdout, stderr };
}

test("--version is the package's", () => {
  expect(acutance(["--version"])).toMatchObject({ status: 0, stdout: `${packageJson.version}\n` });
});

test("help lists the commands, and a command's help its options", () => {
  expect(acutance(["--help"]).stdout).toMatch(/setup[\s\S]*doctor/);
  expect(acutance(["help", "doctor"]).stdout).toContain("--json");
});

test("an unknown command suggests the nearest and is a usage error", () => {
  const { status, stderr } = acutance(["docter"]);
  expect(status).toBe(2);
  expect(stderr).toContain("Did you mean doctor?");
});

test("an unknown option is a usage error", () => {
  expect(acutance(["doctor", "--jsn"]).status).toBe(2);
});

test("doctor --json reports the adapter", () => {
  const { status, stdout } = acutance(["doctor", "--json"]);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, report: { runtime: `Bun ${Bun.version}` } });
});

test("setup --quiet says nothing when an adapter works", () => {
  expect(acutance(["setup", "--quiet"])).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

test.skipIf(process.platform !== "linux")("doctor without an adapter fails with advice and without a stack", () => {
  const without = { VK_DRIVER_FILES: "/nonexistent.json" };
  const plain = acutance(["doctor"], without);
  expect(plain.status).toBe(1);
  expect(plain.stderr).toStartWith("error: ");
  expect(plain.stderr).toContain("acutance setup");
  expect(plain.stderr).not.toMatch(/^\s+at /m);
  expect(acutance(["doctor"], { ...without, ACUTANCE_DEBUG: "1" }).stderr).toMatch(/^\s+at /m);
  const json = acutance(["doctor", "--json"], without);
  expect(json.status).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, kind: "NoAdapterError" });
});
