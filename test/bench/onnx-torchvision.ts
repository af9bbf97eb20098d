/**
 * `bun test/bench/onnx-torchvision.ts FOLDER`: networks that onnx_torchvision.py exported, through `importOnnx`, beside what PyTorch makes of them. Ends
 * with code 1 when one cannot be run or differs by more than 1e-5 of the largest number.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openDevice } from "../../engine/index.ts";
import { importOnnx } from "../../engine/onnx/import.ts";

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("give the folder that python3 test/bench/onnx_torchvision.py wrote");

using device = await openDevice();
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith(".onnx"))
  .sort()) {
  const name = file.slice(0, -".onnx".length);
  try {
    const { shape, x, y } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
    using model = await importOnnx(join(folder, file), device);
    const found = (await (await model.run({ x: { data: Float32Array.from(x), shape } }))["y"]!.read()) as Float32Array;
    const largest = Math.max(...y.map(Math.abs));
    const error = Math.max(...y.map((value: number, i: number) => Math.abs(value - found[i]!))) / largest;
    if (!(found.length === y.length && error <= 1e-5)) process.exitCode = 1;
    console.log(`${name}: ${found.length} of ${y.length} numbers, apart by ${error.toExponential(1)} of the largest`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`${name}: ${(error as Error).message}`);
  }
}
