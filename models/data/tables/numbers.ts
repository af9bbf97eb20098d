/** One separator at most, which is the decimal one. */
const plain = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$/i;
/** Groups of three digits by one separator, and a decimal one of the other kind: 1,234.5 and 1.234,5. */
const commaGroups = /^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/;
const pointGroups = /^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?$/;
/** Either reading is possible: 1,234. */
const unclear = /^[+-]?[1-9]\d{0,2}[.,]\d{3}$/;

/** What people write where there is no number. */
const placeholder = /^(#?n\.?\/?a\.?[!?]?|nan|null|nil|none|missing|unknown|-+|[–—?.]|#.*[!?])$/i;

/** A decimal number, with point or comma; NaN for anything else, infinities included. */
export function parseNumber(text: string): number {
  const trimmed = text.trim();
  if (!plain.test(trimmed)) return Number.NaN;
  const value = Number(trimmed.replace(",", "."));
  return Number.isFinite(value) ? value : Number.NaN;
}

/** Reads the numbers of one column, as its other values show what point and comma mean in it. */
export interface NumberColumn {
  /** NaN for what is none. */
  readonly read: (text: string) => number;
  /** What had to be assumed, as sentences. */
  readonly warnings: readonly string[];
}

/** @param called name of the column, for warnings */
export function numberColumn(called: string, texts: readonly string[]): NumberColumn {
  const values = texts.map((text) => ascii(text));
  const decimalComma = values.some(({ digits }) => showsDecimal(digits, ",", pointGroups, commaGroups));
  const decimalPoint = values.some(({ digits }) => showsDecimal(digits, ".", commaGroups, pointGroups));
  const groups = decimalComma === decimalPoint ? undefined : decimalComma ? "." : ",";
  const warnings: string[] = [];
  const doubtful = values.find(
    ({ digits }) => unclear.test(digits) && (groups ? digits.includes(groups) : digits.includes(",")),
  );
  if (doubtful) {
    const as = numberOf(doubtful.digits, groups);
    warnings.push(
      `Column "${called}": ${doubtful.digits} is read as ${as}; if that is not what is meant, write numbers without separators of thousands.`,
    );
  }
  const percent = values.filter((value) => value.percent).length;
  if (percent > 0) {
    const others = values.filter(({ digits, percent: sign }) => !sign && digits !== "").length;
    const mixed = others > 0 ? `; ${others} values are without one` : "";
    warnings.push(`Column "${called}" has percent signs, which are passed over (85% is 85)${mixed}.`);
  }
  return { read: (text) => numberOf(ascii(text).digits, groups), warnings };
}

/** Why a text is no number, and what to do. */
export function whyNoNumber(text: string): string {
  if (placeholder.test(text.trim())) return "leave the field empty if the picture is not rated.";
  return "write one number, without unit or range.";
}

function numberOf(digits: string, groups: "." | "," | undefined): number {
  if (commaGroups.test(digits) && (groups === "," || !plain.test(digits)))
    return parseNumber(digits.replaceAll(",", ""));
  if (pointGroups.test(digits) && (groups === "." || !plain.test(digits)))
    return parseNumber(digits.replaceAll(".", ""));
  return parseNumber(digits);
}

/** Whether a value can only be read with this decimal separator. */
function showsDecimal(digits: string, decimal: "," | ".", withGroups: RegExp, otherGroups: RegExp): boolean {
  if (plain.test(digits)) return digits.includes(decimal) && !unclear.test(digits);
  return withGroups.test(digits) && !otherGroups.test(digits);
}

/**
 * A number's text in plain signs: full-width digits, typographic minus, the apostrophe by which spreadsheets mark a text, and
 * blanks or apostrophes between groups of three digits are taken away.
 */
function ascii(text: string): { digits: string; percent: boolean } {
  const signs = text
    .normalize("NFKC")
    .trim()
    .replace(/^['’]/, "")
    .replace(/^[−–—](?=[\d.,])/, "-");
  const percent = /\d\s*%$/.test(signs);
  const bare = percent ? signs.replace(/\s*%$/, "") : signs;
  const joined = /^[+-]?\d{1,3}([ '’]\d{3})+([.,]\d*)?$/.test(bare) ? bare.replace(/[ '’]/g, "") : bare;
  return { digits: joined, percent };
}
