// Choices as files: a table, and XMP sidecars in a zip.
import { strToU8, zipSync } from "fflate";
import { byId, setText } from "./dom.js";
import { csvLine, download } from "./download.js";
import { onChange, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */

export function startExport() {
  byId("choices-csv").addEventListener("click", () => download("choices.csv", "text/csv", choicesCsv()));
  byId("choices-xmp").addEventListener("click", () => {
    const { files, apart } = sidecars();
    download("sidecars.zip", "application/zip", zipSync(files));
    const unrated = decided().length - rated().length;
    const words = [
      `${Object.keys(files).length} sidecars.`,
      unrated ? `${unrated} kept without stars have none.` : "",
      apart ? `${apart} of pictures with a name that another one has lie in folders of their own.` : "",
    ];
    setText(byId("export-note"), words.filter(Boolean).join(" "));
  });
  onChange(() => {
    setText(byId("export-note"), "");
    /** @type {HTMLButtonElement} */ (byId("choices-csv")).disabled = decided().length === 0;
    /** @type {HTMLButtonElement} */ (byId("choices-xmp")).disabled = rated().length === 0;
  });
}

const decided = () => state.pictures.filter(({ choice }) => choice);
const rated = () => decided().filter(({ choice }) => choice?.decision === "reject" || choice?.stars);

/** What `acutance cull --choices` reads. */
function choicesCsv() {
  const rows = decided().map(({ name, choice, score }) => [name, choice?.decision, choice?.stars || "", score?.score]);
  return [["path", "decision", "stars", "score"], ...rows].map(csvLine).join("");
}

/** Sidecars by their names, as darktable and digiKam call them, and how many had to lie apart. */
function sidecars() {
  /** @type {Record<string, Uint8Array>} */
  const files = {};
  let apart = 0;
  for (const picture of rated()) {
    const name = `${safePath(picture.name)}.xmp`;
    let free = name;
    for (let i = 2; Object.hasOwn(files, free); i++) free = `${i}/${name}`;
    if (free !== name) apart++;
    files[free] = strToU8(sidecar(picture));
  }
  return { files, apart };
}

/** A name without what leads out of the folder that a zip is unpacked in. @param {string} name */
function safePath(name) {
  const parts = name.split(/[/\\]/).filter((part) => !["", ".", ".."].includes(part));
  return parts.join("/").replaceAll(":", "_") || "picture";
}

/** XMP with the rating of a person, −1 for rejected, and the score beside. @param {Picture} picture */
function sidecar({ choice, score }) {
  const rating = choice?.decision === "reject" ? -1 : choice?.stars;
  const scored = score
    ? `\n    acutance:Score="${Number(score.score.toPrecision(5))}"\n    acutance:Model="${escaped(score.model)}"`
    : "";
  return `<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Acutance">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:acutance="urn:x-acutance:1.0/"
    xmp:Rating="${rating}"${scored}/>
 </rdf:RDF>
</x:xmpmeta>
`;
}

/** In an attribute; what XML 1.0 cannot hold becomes U+FFFD. @param {string} text */
function escaped(text) {
  const signs = /** @type {Record<string, string>} */ ({ "&": "&amp;", "<": "&lt;", '"': "&quot;" });
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<"]/g, (sign) => signs[sign] ?? sign)
    .replace(/[\t\n\r]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
