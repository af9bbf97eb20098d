import type { OwnerUse } from "./ledger.ts";

/** A device's memory by owner. */
export interface MemoryReport {
  /** Held now: by tensors, and by the pool for reuse. */
  readonly heldBytes: number;
  /** The most that was held at a time. */
  readonly peakBytes: number;
  readonly limitBytes: number | undefined;
  /** The owner of most of the peak first. The `atPeakBytes` of all but "read-back" sum up to `peakBytes`. */
  readonly owners: readonly OwnerUse[];
}

/** The report as lines of text: owner, bytes now, buffers now, part of the peak, the most at any time. */
export function memoryTable({ heldBytes, peakBytes, limitBytes, owners }: MemoryReport): string {
  const rows = [
    ["owner", "now", "buffers", "at the peak", "its own most"],
    ...owners
      .filter(({ mostBytes }) => mostBytes > 0)
      .map(({ owner, bytes, buffers, atPeakBytes, mostBytes }) => [
        owner,
        formatBytes(bytes),
        `${buffers}`,
        formatBytes(atPeakBytes),
        formatBytes(mostBytes),
      ]),
    ["all", formatBytes(heldBytes), "", formatBytes(peakBytes), limitBytes ? `limit ${formatBytes(limitBytes)}` : ""],
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** The peak in one line: "1.2 GiB: activations 700 MiB (batchNorm 300 MiB, conv2d 280 MiB), optimiser 90 MiB, …". */
export function memorySummary({ peakBytes, owners }: MemoryReport, most = 5): string {
  const groups = new Map<string, { bytes: number; parts: string[] }>();
  for (const { owner, atPeakBytes } of owners) {
    if (atPeakBytes === 0) continue;
    const [name, part] = owner.split(": ") as [string, string | undefined];
    const group = groups.get(name) ?? { bytes: 0, parts: [] };
    group.bytes += atPeakBytes;
    if (part) group.parts.push(`${part} ${formatBytes(atPeakBytes)}`);
    groups.set(name, group);
  }
  const texts = [...groups]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .slice(0, most)
    .map(([name, { bytes, parts }]) => {
      const largest = parts.slice(0, 3).join(", ");
      return `${name} ${formatBytes(bytes)}${largest && ` (${largest}${parts.length > 3 ? ", …" : ""})`}`;
    });
  return `${formatBytes(peakBytes)}${texts.length > 0 ? `: ${texts.join(", ")}` : ""}`;
}

/** "0 B", "512 B", "1.5 KiB", "128 MiB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  // 1023.96 would be shown as "1024 KiB".
  while (Math.abs(value) >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${unit === 0 ? value : Number(value.toFixed(digits))} ${units[unit]}`;
}

/**
 * Bytes behind "4GiB", "512 MiB", "1.5G" or "1000000"; K, M, G and T count in powers of 1024, with or without iB.
 * @throws RangeError when it is no positive size
 */
export function parseBytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:iB)?|B)?\s*$/i.exec(text);
  const power = match?.[2] ? "KMGT".indexOf(match[2].toUpperCase()) + 1 : 0;
  const bytes = match ? Math.floor(Number(match[1]) * 1024 ** power) : 0;
  if (!(bytes > 0)) throw new RangeError(`"${text}" is no size in bytes; write for example 4GiB or 512MiB`);
  return bytes;
}
