import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { inside } from "../../../engine/host/inside.ts";

test("names what lies in a folder, and nothing else", () => {
  const room = resolve("room");
  expect(inside(room, "a.jpg")).toBe("a.jpg");
  expect(inside("room", join("sub", "..", "a.jpg"))).toBe("a.jpg");
  expect(inside(room, join(room, "sub", "a.jpg"))).toBe(join("sub", "a.jpg"));
  // Names like others.
  expect(inside(room, "..new")).toBe("..new");
  expect(inside(room, join("..new", "a.jpg"))).toBe(join("..new", "a.jpg"));
  for (const outside of [
    "",
    ".",
    "..",
    join("..", "a.jpg"),
    join("sub", "..", "..", "a.jpg"),
    "/etc/hostname",
    `${room}-2`,
  ])
    expect([outside, inside(room, outside)]).toEqual([outside, undefined]);
});
