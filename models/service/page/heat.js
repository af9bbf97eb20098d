// The quality of parts of a picture as colours over it.

/** @typedef {import("./api.js").QualityMap} QualityMap */

/** Cividis at five places, from low to high: even steps of brightness, told apart by people who are colour-blind. */
const palette = [
  [0, 34, 78],
  [66, 78, 108],
  [124, 123, 120],
  [187, 173, 108],
  [254, 232, 56],
];

/** @param {number} share 0..1 @returns {number[]} */
function colourAt(share) {
  const place = Math.min(1, Math.max(0, share)) * (palette.length - 1);
  const below = Math.min(palette.length - 2, Math.floor(place));
  const [low = [], high = []] = [palette[below], palette[below + 1]];
  return low.map((value, i) => value + (place - below) * ((high[i] ?? 0) - value));
}

/** Between the middles of which two tiles a pixel lies, and where: tiles start evenly from one edge to the other. @param {number} at pixels @param {number} length of the picture @param {number} tile @param {number} count @returns {[number, number]} */
function placeOf(at, length, tile, count) {
  if (count === 1) return [0, 0];
  const place = Math.min(count - 1, Math.max(0, ((at - tile / 2) * (count - 1)) / (length - tile)));
  const below = Math.min(count - 2, Math.floor(place));
  return [below, place - below];
}

/** The score around a pixel, interpolated between the middles of tiles. @param {QualityMap} map @param {number} x @param {number} y */
export function scoreAt({ scores, rows, columns, tile, width, height }, x, y) {
  const [row, down] = placeOf(y, height, tile, rows);
  const [column, right] = placeOf(x, width, tile, columns);
  const along = (/** @type {number} */ r) => {
    const line = scores[Math.min(r, rows - 1)] ?? [];
    const left = line[column] ?? 0;
    return left + right * ((line[Math.min(column + 1, columns - 1)] ?? 0) - left);
  };
  return along(row) + down * (along(row + 1) - along(row));
}

/** @param {QualityMap} map @returns {[number, number]} */
export function boundsOf({ scores }) {
  const all = scores.flat();
  return [Math.min(...all), Math.max(...all)];
}

/** Draws the map over the whole canvas. @param {HTMLCanvasElement} canvas @param {QualityMap} map */
export function drawHeat(canvas, map) {
  const shrink = Math.min(1, 256 / Math.max(map.width, map.height));
  canvas.width = Math.max(1, Math.round(map.width * shrink));
  canvas.height = Math.max(1, Math.round(map.height * shrink));
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  const [low, high] = boundsOf(map);
  for (let y = 0, at = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++, at += 4) {
      const value = scoreAt(map, ((x + 0.5) * map.width) / canvas.width, ((y + 0.5) * map.height) / canvas.height);
      image.data.set([...colourAt(high > low ? (value - low) / (high - low) : 0.5), 255], at);
    }
  }
  context.putImageData(image, 0, 0);
}
