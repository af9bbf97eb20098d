import { choiceOf, sheet } from "./state.js";

const chosen = () =>
  sheet.pictures.flatMap(({ path, decision, group }, index) => {
    if (!decision) return [];
    const choice = choiceOf(index);
    return [{ path, decision: choice.decision, ...(choice.stars && { stars: choice.stars }), group }];
  });

/** @param {string} text */
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function asCsv() {
  const rows = chosen().map(({ path, decision, stars, group }) =>
    [quoted(path), decision, stars ?? "", group].join(","),
  );
  return ["path,decision,stars,group", ...rows, ""].join("\n");
}

export function asJson() {
  return `${JSON.stringify({ acutance: "cull choices", choices: chosen() }, null, 2)}\n`;
}

/** @param {string} name @param {string} type @param {string} text */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
