// A process of its own that writes into a store: `bun writer.ts STORE FIRST COUNT`. Says "begun" with its first row.
import { openStore } from "../../../models/store/index.ts";

const [path, first, count] = process.argv.slice(2);
using store = await openStore(path!);
const scorer = store.scorer({ key: "k", model: "m", conditions: "{}" });
for (let i = 0; i < Number(count); i++) {
  const at = Number(first) + i;
  const content = new Uint8Array(32);
  new DataView(content.buffer).setUint32(0, at);
  const file = { path: `/pictures/${at}.png`, state: { size: at, changed: 1e15 + at }, content };
  const score = { score: at / 7, range: [0, 100] as const, width: 3, height: 4, model: "m" };
  store.put(scorer, file, { ...score, feature: Float32Array.from([at, 0.1]) });
  if (i === 0) console.log("begun");
}
console.log("done");
