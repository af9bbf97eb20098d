import { describe, expect, test } from "bun:test";
import { philox4x32, Random, type Words2, type Words4 } from "../../engine/random.ts";

describe("philox4x32", () => {
  // Published known answers of Random123 for philox4x32, 10 rounds.
  const vectors: [Words4, Words2, Words4][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, words] of vectors) {
    test(`counter ${counter.map((word) => word.toString(16))}`, () => {
      expect(philox4x32(counter, key)).toEqual([...words]);
    });
  }
});

describe("Random", () => {
  test("the first words are the Philox block of counter 0", () => {
    const random = new Random(2 ** 40 + 7, "augment");
    const block = philox4x32([0, 0, ...random.streamWords], [7, 2 ** 8]);
    expect([random.word(), random.word(), random.word(), random.word()]).toEqual(block);
  });

  test("equal seed and stream repeat; another seed, stream or fork differs", () => {
    const draw = (random: Random) => Array.from({ length: 8 }, () => random.word());
    const base = draw(new Random(1, "a"));
    expect(draw(new Random(1, "a"))).toEqual(base);
    expect(draw(new Random(1, 5))).toEqual(draw(new Random(1, "5")));
    for (const other of [new Random(2, "a"), new Random(1, "b"), new Random(1, "a").fork("x"), new Random(1, "")]) {
      expect(draw(other)).not.toEqual(base);
    }
    const drawn = new Random(1, "a");
    drawn.uniform();
    expect(draw(drawn.fork("x"))).toEqual(draw(new Random(1, "a").fork("x")));
  });

  test("a saved state continues bit for bit, at every position within a block", () => {
    const random = new Random(11, "training");
    for (let i = 0; i < 9; i++) {
      const saved = JSON.parse(JSON.stringify(random.state));
      const continued = Random.restore(saved);
      const original = Random.restore(saved);
      const take = (r: Random) => [r.uniform(), r.normal(), r.integer(1000), ...r.shuffle([1, 2, 3, 4])];
      expect(take(continued)).toEqual(take(original));
      random.word();
    }
    expect(random.state.position).toBe(9);
  });

  test("uniform has the moments of the uniform distribution, normal those of the normal", () => {
    const random = new Random(3, "moments");
    const count = 20000;
    let uniform = 0;
    let mean = 0;
    let square = 0;
    for (let i = 0; i < count; i++) {
      const u = random.uniform();
      expect(u >= 0 && u < 1).toBe(true);
      uniform += u;
      const z = random.normal();
      mean += z;
      square += z * z;
    }
    expect(Math.abs(uniform / count - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(mean / count)).toBeLessThan(0.03);
    expect(Math.abs(square / count - 1)).toBeLessThan(0.04);
  });

  test("integer covers its range evenly, up to large n", () => {
    const random = new Random(4, "integers");
    const counts = new Array(7).fill(0);
    for (let i = 0; i < 14000; i++) counts[random.integer(7)]++;
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
    expect(random.integer(1)).toBe(0);
    const large = random.integer(Number.MAX_SAFE_INTEGER);
    expect(Number.isSafeInteger(large)).toBe(true);
  });

  test("shuffle returns a new permutation; every order of three items is equally likely", () => {
    const random = new Random(5, "shuffle");
    const items = [1, 2, 3];
    const seen = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const key = random.shuffle(items).join("");
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(items).toEqual([1, 2, 3]);
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(random.shuffle([])).toEqual([]);
  });

  test("wrong arguments are refused with the value", () => {
    expect(() => new Random(-1)).toThrow("got -1");
    expect(() => new Random(0.5)).toThrow("got 0.5");
    expect(() => new Random(1).integer(0)).toThrow("got 0");
    expect(() => Random.restore({ seed: 1, stream: "", position: -3 })).toThrow("got -3");
  });
});
