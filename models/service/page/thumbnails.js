// Small copies of the pictures that come into view, made in the browser, a few at a time.
import { element } from "./dom.js";

/** @typedef {import("./state.js").Picture} Picture */

const thumbnailSide = 360;
const atATime = 3;

/** @type {{ picture: Picture, frame: Element }[]} */
const waiting = [];
let making = 0;
/** @type {WeakMap<Element, Picture>} */
const pictures = new WeakMap();

const observer = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      const picture = pictures.get(target);
      if (!isIntersecting || !picture) continue;
      observer.unobserve(target);
      waiting.push({ picture, frame: target });
    }
    makeNext();
  },
  { rootMargin: "600px" },
);

/** Puts a small copy into the frame once that comes near the view. @param {Picture} picture @param {Element} frame */
export function showThumbnail(picture, frame) {
  pictures.set(frame, picture);
  observer.observe(frame);
}

function makeNext() {
  while (making < atATime && waiting.length > 0) {
    const { picture, frame } = /** @type {{ picture: Picture, frame: Element }} */ (waiting.shift());
    if (!frame.isConnected) continue;
    making++;
    void thumbnail(picture)
      .then((canvas) => frame.replaceChildren(canvas))
      .catch(() => frame.replaceChildren(stand(picture)))
      .finally(() => {
        making--;
        makeNext();
      });
  }
}

/** @param {Picture} picture */
async function thumbnail({ file }) {
  const whole = await createImageBitmap(file);
  const shrink = Math.min(
    1,
    thumbnailSide / Math.min(whole.width, whole.height),
    (2 * thumbnailSide) / Math.max(whole.width, whole.height),
  );
  const canvas = element("canvas", {
    width: Math.max(1, Math.round(whole.width * shrink)),
    height: Math.max(1, Math.round(whole.height * shrink)),
  });
  const context = canvas.getContext("2d");
  if (context) {
    context.imageSmoothingQuality = "high";
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
  }
  whole.close();
  return canvas;
}

/** Stands for a picture that the browser cannot show. @param {Picture} picture */
function stand({ name }) {
  return element("span", { class: "stand" }, /\.(\w{1,5})$/.exec(name)?.[1]?.toUpperCase() ?? "?");
}
