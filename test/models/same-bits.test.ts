import { expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { runArguments } from "../../engine/device/check.ts";
import { sharedDevice } from "../engine/device.ts";
import { trainedBits } from "./same-bits.ts";

test("the same seed gives the same bits after 20 training steps, in this process and in another", async () => {
  const device = await sharedDevice();
  const script = new URL("./same-bits.ts", import.meta.url).pathname;
  const child = promisify(execFile)(process.execPath, [...runArguments(), script, "5"]);
  const first = await trainedBits(device, 5);
  const second = await trainedBits(device, 5);
  const elsewhere = JSON.parse((await child).stdout);
  // Parameters, statistics, both moments, the gradient state and the averages.
  for (const name of ["conv1.weight", "bn1.running_var", "optimiser.head.bias.second", "average.head.weight"])
    expect(first).toHaveProperty([name]);
  expect(second).toEqual(first);
  expect(elsewhere).toEqual(first);
  const other = await trainedBits(device, 6);
  expect(other["head.weight"]).not.toBe(first["head.weight"]!);
});
