import { describe, expect, test } from "bun:test";
import { unpickle } from "../../../engine/weights/pickle.ts";
import { type KnownFunction, PickleEndError, PickleError, Tuple } from "../../../engine/weights/pickle-values.ts";

const pair: KnownFunction = (args, context) =>
  args.length === 2 ? { pair: args } : context.fail(`a pair of ${args.length}`);
const rules = { source: "sample", classes: new Map<string, unknown>([["lib.pair", pair]]) };

/** A pickle from a text, each character a byte. */
const pickle = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const load = (text: string) => unpickle(pickle(text), 0, rules).value;

describe("values, as Python's pickle writes them", () => {
  const cases: [string, string, unknown][] = [
    ["None, True, False in a tuple", "\x80\x02N\x88\x89\x87.", new Tuple([null, true, false])],
    ["small integers", "\x80\x02K\xffM\x00\x80J\xff\xff\xff\xff\x87.", new Tuple([255, 32768, -1])],
    ["long integers", "\x80\x02\x8a\x05\x00\x00\x00\x00\x01\x8a\x01\xfe\x8a\x00\x87.", new Tuple([2 ** 32, -2, 0])],
    ["an integer beyond 2^53", "\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", 2n ** 64n],
    ["a float, big-endian", "\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00.", 1.5],
    ["texts of all lengths", "\x80\x04\x8c\x02\xc3\xa4X\x01\x00\x00\x00b\x86.", new Tuple(["ä", "b"])],
    ["a text that begins with a byte order mark", "\x80\x04\x8c\x03\xef\xbb\xbf.", "\ufeff"],
    ["Python 2's texts", "\x80\x02U\x01aT\x01\x00\x00\x00b\x86.", new Tuple(["a", "b"])],
    ["bytes", "\x80\x03C\x02\x00\xffB\x01\x00\x00\x00\x07\x86.", new Tuple([Uint8Array.of(0, 255), Uint8Array.of(7)])],
    ["lists", "\x80\x02](K\x01K\x02eK\x03a.", [1, 2, 3]],
    ["a list from a mark", "\x80\x02(K\x01K\x02l.", [1, 2]],
    [
      "dicts",
      "\x80\x02}(K\x01K\x02K\x03K\x04uK\x01K\x05s.",
      new Map([
        [1, 5],
        [3, 4],
      ]),
    ],
    ["a dict from a mark", "\x80\x02(K\x01K\x02d.", new Map([[1, 2]])],
    ["the memo", "\x80\x02]q\x07K\x01r\x00\x01\x00\x000h\x07j\x00\x01\x00\x00\x86.", new Tuple([[], 1])],
    ["protocol 4's memo", "\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00]\x94h\x00\x86.", new Tuple([[], []])],
    ["POP, POP_MARK, DUP", "\x80\x02K\x01K\x020(K\x03K\x0412\x86.", new Tuple([1, 1])],
    ["a class with arguments", "\x80\x02clib\npair\nK\x01K\x02\x86R.", { pair: [1, 2] }],
    ["a class from the stack", "\x80\x04\x8c\x03lib\x8c\x04pair\x93K\x01K\x02\x86R.", { pair: [1, 2] }],
  ];
  for (const [name, text, value] of cases) test(name, () => expect(load(text)).toEqual(value));

  test("several pickles in a row", () => {
    const bytes = pickle("\x80\x02K\x01.\x80\x02K\x02.rest");
    const first = unpickle(bytes, 0, rules);
    expect(first).toEqual({ value: 1, end: 5 });
    expect(unpickle(bytes, first.end, rules)).toEqual({ value: 2, end: 10 });
  });
});

describe("refused", () => {
  const cases: [string, string, string][] = [
    [
      "an unknown class",
      "\x80\x02cos\nsystem\n.",
      "GLOBAL at byte 2: class os.system is not known; no code of a pickle is run",
    ],
    ["names that objects inherit", "\x80\x02c__proto__\nconstructor\n.", "class __proto__.constructor is not known"],
    [
      "a class named by a number",
      "\x80\x04K\x01K\x02\x93.",
      "STACK_GLOBAL at byte 6: a class is named by the number 1",
    ],
    ["control characters in a name", "\x80\x02ca\x1b[2J\nb\n.", "class a�[2J.b is not known"],
    ["a call of no class", "\x80\x02K\x01)R.", "REDUCE at byte 5: the number 1 is called, expected a class"],
    ["a call without a tuple", "\x80\x02clib\npair\nK\x01R.", "the arguments are the number 1, expected a tuple"],
    ["a call that the class refuses", "\x80\x02clib\npair\n)R.", "REDUCE at byte 13: a pair of 0"],
    ["an object from a class", "\x80\x02clib\npair\n)\x81.", "NEWOBJ at byte 13: this opcode is not read"],
    ["attributes of a number", "\x80\x02K\x01}b.", "BUILD at byte 5: attributes for the number 1"],
    ["a persistent id", "\x80\x02)Q.", "BINPERSID at byte 3: a persistent id, expected none here"],
    ["a byte that is no opcode", "\x80\x02\xfe.", "opcode at byte 2: 0xfe is no opcode of pickle"],
    ["a later protocol", "\x80\x06.", "PROTO at byte 0: protocol 6, expected at most 5"],
    ["an empty stack", "\x80\x02.", "STOP at byte 2: the stack is empty"],
    ["a stack empty down to the mark", "\x80\x02K\x01(0.", "POP at byte 5: the stack is empty"],
    ["no mark", "\x80\x02K\x01t.", "TUPLE at byte 4: there is no mark"],
    ["items for a number", "\x80\x02K\x01(K\x02e.", "APPENDS at byte 7: items for the number 1, expected a list"],
    ["pairs for a list", "\x80\x02](K\x01K\x02u.", "SETITEMS at byte 8: items for a list of 0, expected a dict"],
    ["a key without a value", "\x80\x02}(K\x01u.", "SETITEMS at byte 6: 1 keys and values are not pairs"],
    ["an empty place in the memo", "\x80\x02h\x05.", "BINGET at byte 2: memo 5 was never stored"],
    ["a text that is not UTF-8", "\x80\x04\x8c\x01\xff.", "SHORT_BINUNICODE at byte 2: the text is not UTF-8"],
    ["an integer of 256 bytes", `\x80\x02\x8b\x00\x01\x00\x00${"\x01".repeat(256)}.`, "an integer of 256 bytes"],
  ];
  for (const [name, text, message] of cases) {
    test(name, () => {
      expect(() => load(text)).toThrow(PickleError);
      expect(() => load(text)).toThrow(message);
    });
  }

  test("bytes that end too early, at every place", () => {
    const whole = pickle(
      "\x80\x02}q\x00(X\x01\x00\x00\x00aG\x3f\xf8\x00\x00\x00\x00\x00\x00K\x01clib\npair\nK\x01K\x02\x86Ru.",
    );
    expect(unpickle(whole, 0, rules).end).toBe(whole.length);
    for (let length = 0; length < whole.length; length++) {
      expect(() => unpickle(whole.subarray(0, length), 0, rules)).toThrow(PickleEndError);
    }
  });

  test("a deep stack, deep nesting, too many objects", () => {
    expect(() => load(`${"]".repeat(100_001)}.`)).toThrow("more than 100000 values on the stack");
    expect(() => load(`${"(".repeat(1_001)}.`)).toThrow("nested deeper than 1000");
    expect(() => load(`${"]0".repeat(2_000_001)}N.`)).toThrow("more than 2000000 objects");
  });

  test("nesting that no stack shows", () => {
    // [[[…]]]: each list goes into the one before, which leaves the stack.
    const depth = 50_000;
    let list = load(`${"]".repeat(depth)}${"a".repeat(depth - 1)}.`);
    let found = 0;
    for (; Array.isArray(list); list = list[0]) found++;
    expect(found).toBe(depth);
  });
});
