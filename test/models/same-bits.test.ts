import { expect, test } from "bun:test";
import { sharedDevice } from "../engine/device.ts";
import { trainedBits } from "./same-bits.ts";

test("the same seed gives the same bits after 20 training steps, in this process and in another", async () => {
  const device = await sharedDevice();
  const script = new URL("./same-bits.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, "5"], { stdout: "pipe", stderr: "ignore" });
  const first = await trainedBits(device, 5);
  const second = await trainedBits(device, 5);
  const elsewhere = JSON.parse(await new Response(child.stdout).text());
  expect(await child.exited).toBe(0);
  // Parameters, statistics, both moments, the gradient state and the averages.
  for (const name of ["conv1.weight", "bn1.running_var", "optimiser.head.bias.second", "average.head.weight"])
    expect(first).toHaveProperty([name]);
  expect(second).toEqual(first);
  expect(elsewhere).toEqual(first);
  const other = await trainedBits(device, 6);
  expect(other["head.weight"]).not.toBe(first["head.weight"]!);
});
