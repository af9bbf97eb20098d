import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseOneLine } from "../../../engine/device/apt-sources.ts";
import {
  describePlan,
  installAdvice,
  type OsRelease,
  parseOsRelease,
  planInstall,
  readAptSources,
} from "../../../engine/device/install.ts";

const bookworm = { ID: "debian", VERSION_ID: "12", VERSION_CODENAME: "bookworm", PRETTY_NAME: "Debian 12" };
const sources = parseOneLine("deb [signed-by=/key.gpg] http://mirror.example/debian bookworm main");
const commands = (osRelease: OsRelease, isRoot = true, from = sources) =>
  planInstall(osRelease, from, isRoot).flatMap((step) => (step.kind === "run" ? [step.command.join(" ")] : []));

test("os-release: quotes, escapes, comments", () => {
  expect(parseOsRelease(`# c\nID=debian\nPRETTY_NAME="A \\"B\\" 12"\nVERSION_ID='12'\nbad line\n`)).toEqual({
    ID: "debian",
    PRETTY_NAME: 'A "B" 12',
    VERSION_ID: "12",
  });
});

test("Debian 12: backports from the machine's own mirror, for the time of the installation", () => {
  const steps = planInstall(bookworm, sources, true);
  expect(steps.map((step) => step.kind)).toEqual(["temporary-file", "run", "run"]);
  expect(steps[0]).toMatchObject({
    content:
      "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: /key.gpg\n",
  });
  const install = commands(bookworm)[1]!;
  expect(install).toStartWith("apt-get install -y --no-install-recommends");
  expect(install).toEndWith("-t bookworm-backports mesa-vulkan-drivers libvulkan1");
});

test("Debian 12 with backports configured needs no extra source", () => {
  const both = parseOneLine(
    "deb http://m.example/debian bookworm main\ndeb http://m.example/debian bookworm-backports main",
  );
  expect(planInstall(bookworm, both, true).map((step) => step.kind)).toEqual(["run", "run"]);
});

test("Debian 12 without a main suite cannot be helped", () => {
  const security = parseOneLine("deb http://m.example/debian-security bookworm-security main");
  expect(planInstall(bookworm, security, true)).toMatchObject([{ kind: "manual" }]);
});

test.each([
  [{ ID: "debian", VERSION_ID: "13", VERSION_CODENAME: "trixie" }],
  [{ ID: "debian", VERSION_CODENAME: "forky" }],
  [{ ID: "ubuntu", VERSION_ID: "24.04", ID_LIKE: "debian", UBUNTU_CODENAME: "noble" }],
  [{ ID: "linuxmint", VERSION_ID: "22", ID_LIKE: "ubuntu debian", UBUNTU_CODENAME: "noble" }],
])("stock packages: %p", (osRelease) => {
  const [update, install] = commands(osRelease as OsRelease);
  expect(update).toStartWith("apt-get update");
  expect(install).toEndWith("mesa-vulkan-drivers libvulkan1");
  expect(install).not.toContain(" -t ");
});

test.each([
  [{ ID: "debian", VERSION_ID: "11" }, "Debian 12 or newer"],
  [{ ID: "ubuntu", VERSION_ID: "22.04", ID_LIKE: "debian" }, "Ubuntu 24.04 or newer"],
  [{ ID: "linuxmint", VERSION_ID: "21", UBUNTU_CODENAME: "jammy" }, "Ubuntu 24.04 or newer"],
  [{ ID: "fedora", VERSION_ID: "42" }, "dnf install mesa-vulkan-drivers"],
  [{ ID: "rocky", ID_LIKE: "rhel centos fedora" }, "dnf install mesa-vulkan-drivers"],
  [{ ID: "arch" }, "pacman -S vulkan-swrast"],
  [{ ID: "alpine", VERSION_ID: "3.22" }, "apk add mesa-vulkan-swrast"],
  [{ ID: "opensuse-leap", ID_LIKE: "suse opensuse" }, "zypper install"],
  [{}, "lavapipe"],
])("%p is told what to do", (osRelease, expected) => {
  const steps = planInstall(osRelease as OsRelease, [], true);
  expect(steps.map((step) => step.kind)).toEqual(["manual"]);
  expect(describePlan(steps).join("\n")).toContain(expected);
});

test("without root the plan is one list of sudo commands that cleans up after itself", () => {
  const steps = planInstall(bookworm, sources, false);
  expect(steps.map((step) => step.kind)).toEqual(["manual"]);
  const lines = describePlan(steps);
  expect(lines[0]).toBe("Debian 12: only root may install; run:");
  expect(lines[1]).toBe("sudo tee /etc/apt/sources.list.d/acutance-backports.sources > /dev/null <<'EOF'");
  expect(lines).toContain("Suites: bookworm-backports");
  expect(lines.filter((line) => line.startsWith("sudo apt-get"))).toHaveLength(2);
  expect(lines.at(-1)).toBe("sudo rm /etc/apt/sources.list.d/acutance-backports.sources");
});

test("apt's configuration is read from both places, in both formats", () => {
  const root = mkdtempSync(join(tmpdir(), "acutance-apt-"));
  try {
    mkdirSync(join(root, "sources.list.d"));
    writeFileSync(join(root, "sources.list"), "deb http://one.example/debian bookworm main\n");
    writeFileSync(join(root, "sources.list.d", "a.sources"), "Types: deb\nURIs: http://two.example/d\nSuites: x\n");
    writeFileSync(join(root, "sources.list.d", "b.list.disabled"), "deb http://three.example/debian bookworm main\n");
    expect(readAptSources(root).flatMap((source) => source.uris)).toEqual([
      "http://one.example/debian",
      "http://two.example/d",
    ]);
    expect(readAptSources(join(root, "absent"))).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("macOS and Windows have nothing to install", () => {
  expect(installAdvice("darwin").join()).toContain("nothing to install");
  expect(installAdvice("win32").join()).toContain("DirectX 12");
});
