import { openScorer, PictureError } from "acutance/browser";

const element = (id) => document.getElementById(id);
const [status, progress, choice, drop] = ["status", "progress", "model", "drop"].map(element);

function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

/** What an error says and what to do about it. */
const sentences = (error) =>
  error.advice && !error.message.includes(error.advice) ? `${error.message}: ${error.advice}` : error.message;

/** The scorers that were asked for, by model; one that failed is opened anew. */
const scorers = new Map();

function scorerOf(model) {
  const open = async () => {
    say("Fetching the model …");
    const scorer = await openScorer({
      ...(model === "fast" && { model }),
      reasons: true,
      onModelBytes: (received, total) => {
        progress.hidden = received === total;
        if (total) progress.value = received / total;
      },
    });
    const { vendor, architecture, description } = scorer.device.info;
    element("device").textContent = `on ${description || [vendor, architecture].filter(Boolean).join(" ")}`;
    say("");
    return scorer;
  };
  const opened = scorers.get(model) ?? open();
  scorers.set(model, opened);
  opened
    .catch(() => scorers.delete(model))
    .finally(() => {
      progress.hidden = true;
    });
  return opened;
}

const words = (reasons = []) => reasons.map(({ reason }) => reason.replaceAll("-", " ")).join(", ");

function show(item, { score, range: [low, high], interval, typicality, reasons, width, height, milliseconds }) {
  const place = (value) => (100 * (value - low)) / (high - low);
  item.querySelector("strong").textContent = score.toFixed(1);
  item.querySelector(".score span").textContent = interval
    ? `of ${high}; most people's mean opinion lies from ${interval.low.toFixed(0)} to ${interval.high.toFixed(0)}`
    : `of ${high}`;
  const { low: from, high: to } = interval ?? { low: score, high: score };
  item.querySelector(".band").setAttribute("x", place(from));
  item.querySelector(".band").setAttribute("width", place(to) - place(from));
  item.querySelector(".mark").setAttribute("x", place(score) - 0.5);
  const notes = [
    reasons?.length ? `Most likely lowered by ${words(reasons)}.` : "",
    typicality && typicality.word !== "typical" ? `Such a picture is ${typicality.word} to the model.` : "",
    `${width} × ${height} pixels, scored in ${(milliseconds / 1000).toFixed(1)} s.`,
  ];
  item.querySelector(".notes").textContent = notes.filter(Boolean).join(" ");
  item.dataset.score = score;
}

async function score(file) {
  const model = choice.value;
  const item = element("result").content.cloneNode(true).firstElementChild;
  item.querySelector("h2").textContent = file.name;
  item.querySelector("img").src = URL.createObjectURL(file);
  item.querySelector(".score span").textContent = "waits …";
  element("results").prepend(item);
  try {
    const scorer = await scorerOf(model);
    show(item, await scorer.score(file));
  } catch (error) {
    item.classList.add("bad");
    item.querySelector("svg").remove();
    item.querySelector(".score span").textContent = "has no score";
    if (error instanceof PictureError) item.querySelector(".notes").textContent = `${error.detail} ${error.advice}`;
    else say(sentences(error), true);
  }
}

const scoreAll = (files) => Promise.all([...files].map(score));

element("files").addEventListener("change", ({ target }) => {
  scoreAll(target.files);
  target.value = "";
});
document.addEventListener("paste", ({ clipboardData }) => scoreAll(clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  scoreAll(event.dataTransfer.files);
});
