// Numbers as text. A dash stands for what is not there.

export const dash = "–";

/** With so many significant digits, and no exponent: 0.0123, 1.23, 12.3, 123, 12,345. @param {number} value */
export function significant(value, digits = 3) {
  if (!Number.isFinite(value)) return dash;
  if (value === 0) return "0";
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  return grouped(value, Math.max(0, Math.min(6, digits - whole)));
}

/** With commas between thousands. @param {number} value */
export function grouped(value, decimals = 0) {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** "840 ns", "12.3 µs", "1.23 ms", "2.34 s". @param {number} ms */
export function time(ms) {
  if (ms === 0) return "0";
  return scaled(ms * 1e6, 1000, ["ns", "µs", "ms", "s"]);
}

/** "512 B", "1.50 GiB". @param {number} value */
export function bytes(value) {
  return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
}

/** Operations: "1.85 G". @param {number} value */
export function amount(value) {
  return scaled(value, 1000, ["", "k", "M", "G", "T"]).trim();
}

/** @param {number} share */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** @param {number} value @param {number} step @param {readonly string[]} units */
function scaled(value, step, units) {
  if (!Number.isFinite(value)) return dash;
  let unit = 0;
  // What rounds to a thousand belongs to the next unit.
  while (Math.abs(value) >= Math.min(999.5, step) && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  const text = unit === 0 && Number.isInteger(value) ? String(value) : significant(value);
  return `${text} ${units[unit]}`;
}
