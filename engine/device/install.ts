import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AptSource, formatDeb822, parseAptSources } from "./apt-sources.ts";

/** One thing to do, or to tell, on the way to a working software adapter. */
export type InstallStep =
  /** Write a file, owned by root and readable by all. It is removed again when the plan ends, well or badly. */
  | { readonly kind: "temporary-file"; readonly path: string; readonly content: string }
  /** Run a command. One that is `optional` may fail as long as the later ones succeed. */
  | { readonly kind: "run"; readonly command: readonly string[]; readonly optional?: boolean }
  /** Nothing that can be done from here: say why, and what the user has to run or do. */
  | { readonly kind: "manual"; readonly reason: string; readonly instructions: readonly string[] };

/** The fields of os-release(5). */
export type OsRelease = Readonly<Record<string, string>>;

const packages = ["mesa-vulkan-drivers", "libvulkan1"];
const backportsFile = "/etc/apt/sources.list.d/acutance-backports.sources";

/** Reads os-release(5): shell-like assignments, values possibly quoted. */
export function parseOsRelease(text: string): OsRelease {
  const values: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([A-Z0-9_]+)=(.*?)\s*$/.exec(line);
    if (!match) continue;
    const value = match[2]!;
    const quoted = /^(["'])(.*)\1$/.exec(value);
    values[match[1]!] = (quoted ? quoted[2]! : value).replace(/\\(["'$`\\])/g, "$1");
  }
  return values;
}

/** This machine's os-release, or {} when it has none. */
export function readOsRelease(): OsRelease {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return parseOsRelease(readFileSync(path, "utf8"));
    } catch {
      // The second place is the specification's fallback.
    }
  }
  return {};
}

/** The package sources that this machine's apt is configured with; [] without apt. */
export function readAptSources(root = "/etc/apt"): AptSource[] {
  const files = [join(root, "sources.list")];
  try {
    const parts = readdirSync(join(root, "sources.list.d")).filter((name) => /\.(list|sources)$/.test(name));
    files.push(...parts.sort().map((name) => join(root, "sources.list.d", name)));
  } catch {
    // A machine may have only the one file.
  }
  return files.flatMap((file) => {
    try {
      return parseAptSources(file, readFileSync(file, "utf8"));
    } catch {
      return [];
    }
  });
}

/**
 * How to get a software adapter (Mesa's lavapipe) that Dawn accepts, on Linux. Debian 12's own Mesa 22.3 lacks features
 * that WebGPU demands, so there it has to come from the backports.
 */
export function planInstall(osRelease: OsRelease, sources: readonly AptSource[], isRoot: boolean): InstallStep[] {
  const { ID: id = "", VERSION_ID: version = "", PRETTY_NAME: name = id || "this system" } = osRelease;
  const family = [id, ...(osRelease["ID_LIKE"] ?? "").split(/\s+/)];
  if (id === "debian") {
    // Testing and unstable carry no VERSION_ID.
    const major = version ? Number.parseInt(version, 10) : Number.POSITIVE_INFINITY;
    if (major >= 13) return forUser(aptInstall(), isRoot, name);
    if (major === 12)
      return forUser(bookwormInstall(osRelease["VERSION_CODENAME"] ?? "bookworm", sources), isRoot, name);
    return tooOld(name, "Debian 12");
  }
  if (id === "ubuntu" || osRelease["UBUNTU_CODENAME"]) {
    const enough =
      id === "ubuntu"
        ? Number.parseFloat(version) >= 24.04
        : !/^(xenial|bionic|focal|jammy)$/.test(osRelease["UBUNTU_CODENAME"]!);
    return enough ? forUser(aptInstall(), isRoot, name) : tooOld(name, "Ubuntu 24.04");
  }
  const others: readonly (readonly [string, string])[] = [
    ["fedora", "dnf install mesa-vulkan-drivers vulkan-loader"],
    ["rhel", "dnf install mesa-vulkan-drivers vulkan-loader"],
    ["arch", "pacman -S vulkan-swrast vulkan-icd-loader"],
    ["alpine", "apk add mesa-vulkan-swrast vulkan-loader"],
    ["suse", "zypper install libvulkan1 libvulkan_lvp"],
    ["opensuse", "zypper install libvulkan1 libvulkan_lvp"],
    ["debian", `apt-get install --no-install-recommends ${packages.join(" ")}`],
  ];
  const known = others.find(([member]) => family.includes(member));
  if (known) {
    const instructions = [isRoot ? known[1] : `sudo ${known[1]}`];
    if (known[0] === "alpine") instructions.push('# and run under Deno: the package "webgpu" needs glibc');
    return [{ kind: "manual", reason: `${name}: setup installs only on Debian and Ubuntu; run`, instructions }];
  }
  return [
    {
      kind: "manual",
      reason: `${name} is not a system that setup knows`,
      instructions: [
        "install a Vulkan driver for your GPU, or Mesa's lavapipe (Mesa 25 or newer), and the Vulkan loader",
      ],
    },
  ];
}

/** What a machine without an adapter needs, as lines to print; for every platform. */
export function installAdvice(
  platform: NodeJS.Platform = process.platform,
  isRoot = process.getuid?.() === 0,
): string[] {
  if (platform === "darwin")
    return ["macOS: nothing to install; Metal needs macOS 12 or newer and a session on the machine's GPU"];
  if (platform === "win32")
    return [
      "Windows: nothing to install; update the GPU driver (DirectX 12 is required, WARP serves as software adapter)",
    ];
  if (platform !== "linux") return [`${platform}: WebGPU is not available here; use Linux, macOS or Windows`];
  return describePlan(planInstall(readOsRelease(), readAptSources(), isRoot));
}

/** The plan as shell lines that a user can paste. */
export function describePlan(steps: readonly InstallStep[], prefix = ""): string[] {
  const lines: string[] = [];
  const removals: string[] = [];
  for (const step of steps) {
    if (step.kind === "manual") lines.push(`${step.reason}:`, ...step.instructions);
    else if (step.kind === "run") lines.push(prefix + step.command.map(quote).join(" "));
    else {
      lines.push(`${prefix}tee ${quote(step.path)} > /dev/null <<'EOF'`, ...step.content.trimEnd().split("\n"), "EOF");
      removals.push(`${prefix}rm ${quote(step.path)}`);
    }
  }
  return [...lines, ...removals];
}

function forUser(steps: InstallStep[], isRoot: boolean, name: string): InstallStep[] {
  if (isRoot || steps.some((step) => step.kind === "manual")) return steps;
  return [
    { kind: "manual", reason: `${name}: only root may install; run`, instructions: describePlan(steps, "sudo ") },
  ];
}

function aptInstall(release?: string): InstallStep[] {
  // Another apt at work (unattended upgrades) holds the lock for a while: wait for it.
  const wait = ["-o", "DPkg::Lock::Timeout=120"];
  const target = release ? ["-t", release] : [];
  return [
    { kind: "run", command: ["apt-get", "update", ...wait], optional: true },
    { kind: "run", command: ["apt-get", "install", "-y", "--no-install-recommends", ...wait, ...target, ...packages] },
  ];
}

function bookwormInstall(codename: string, sources: readonly AptSource[]): InstallStep[] {
  const suite = `${codename}-backports`;
  const hasMain = ({ types, components }: AptSource) => types.includes("deb") && components.includes("main");
  if (sources.some((source) => hasMain(source) && source.suites.includes(suite))) return aptInstall(suite);
  const main = sources.find((source) => hasMain(source) && source.suites.includes(codename));
  if (!main) {
    return [
      {
        kind: "manual",
        reason: `apt has no source with the suite ${codename} and the component main to derive ${suite} from`,
        instructions: [`add ${suite} to apt's sources, then: apt-get install -t ${suite} ${packages.join(" ")}`],
      },
    ];
  }
  const content = formatDeb822({ ...main, types: ["deb"], suites: [suite], components: ["main"] });
  return [{ kind: "temporary-file", path: backportsFile, content }, ...aptInstall(suite)];
}

function tooOld(name: string, oldest: string): InstallStep[] {
  return [
    {
      kind: "manual",
      reason: `${name} has no Mesa that WebGPU accepts`,
      instructions: [`use ${oldest} or newer, or install Mesa 25 or newer from another source`],
    },
  ];
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
