import { breakdown } from "./breakdown.js";
import { detail } from "./detail.js";
import { byId, element } from "./dom.js";
import { roofline } from "./roofline.js";
import { search } from "./search.js";
import { Store } from "./state.js";
import { kernelTable } from "./table.js";
import { timeline } from "./timeline.js";

const profile = /** @type {import("./state.js").Profile} */ (JSON.parse(byId("profile").textContent ?? ""));
const others = /** @type {import("./roofline-others.js").Other[]} */ (
  JSON.parse(document.getElementById("others")?.textContent ?? "[]")
);
const store = new Store(profile);

legends();
roofline(store, others);
breakdown(store);
timeline(store);
detail(store);
search(store);
kernelTable(store);
byId("download").addEventListener("click", () => download(JSON.stringify(profile, null, 2), "profile.json"));

/** Every legend follows the choice of colours; the one of the bars is always of phases. */
function legends() {
  const draw = () => {
    for (const place of document.querySelectorAll(".legend")) {
      const ofPhases = place.classList.contains("of-phases");
      // One colour explains nothing.
      if (ofPhases && store.colours.phases.length < 2) continue;
      const by = ofPhases ? "phase" : store.choice.colour;
      const entries = store.colours
        .legend(by)
        .map(({ name, colour }) =>
          element("span", {}, element("i", { class: "dot", style: `background:${colour}` }), name),
        );
      place.replaceChildren(...entries);
    }
  };
  store.subscribe((changed) => {
    if (changed.has("colour")) draw();
  });
  draw();
}

/** @param {string} text @param {string} name */
function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
