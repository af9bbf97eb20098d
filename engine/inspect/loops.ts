import { type BasicBlock, type Instruction, type InstructionKind, instructionKinds } from "./assembly.ts";

/** How many instructions there are of each kind; a pair issued at once (VOPD) counts as one of its first's kind. */
export interface InstructionCounts extends Readonly<Record<InstructionKind, number>> {
  readonly all: number;
  /** Pairs of vector instructions issued at once. */
  readonly dualIssue: number;
}

/** A stretch of code in figures. */
export interface CodeFigures {
  readonly counts: InstructionCounts;
  /** Multiply-adds of one lane. */
  readonly multiplyAdds: number;
  /** Share of multiply-adds among vector instructions, of a pair both; 0..1, 0 where there are none. */
  readonly multiplyAddShare: number;
  /** Bytes that a lane moves from or to memory for each multiply-add; null where there are none. */
  readonly globalBytesPerMultiplyAdd: number | null;
  readonly workgroupBytesPerMultiplyAdd: number | null;
}

export interface Loop extends CodeFigures {
  /** Label of the block that it begins with. */
  readonly label: string;
  /** Loops around it. */
  readonly depth: number;
  /** Lines of the assembly, from 0: those of its blocks, of inner loops too. */
  readonly lines: readonly number[];
}

/** Turns that a loop is taken to make, when loops are weighed against each other. */
const turns = 10;

export function figuresOf(instructions: readonly Instruction[]): CodeFigures {
  const counts = Object.fromEntries(instructionKinds.map((kind) => [kind, 0])) as Record<InstructionKind, number>;
  let [vector, products, multiplyAdds, globalBytes, workgroupBytes, dualIssue] = [0, 0, 0, 0, 0, 0];
  for (const { kind, second, multiplyAdds: own, bytes } of instructions) {
    counts[kind]++;
    for (const one of second === undefined ? [kind] : [kind, second]) {
      if (one === "multiplyAdd") products++;
      if (one === "multiplyAdd" || one === "vector") vector++;
    }
    if (second !== undefined) dualIssue++;
    multiplyAdds += own;
    if (kind === "globalMemory") globalBytes += bytes;
    if (kind === "workgroupMemory") workgroupBytes += bytes;
  }
  return {
    counts: { ...counts, all: instructions.length, dualIssue },
    multiplyAdds,
    multiplyAddShare: vector > 0 ? products / vector : 0,
    globalBytesPerMultiplyAdd: multiplyAdds > 0 ? globalBytes / multiplyAdds : null,
    workgroupBytesPerMultiplyAdd: multiplyAdds > 0 ? workgroupBytes / multiplyAdds : null,
  };
}

/**
 * The loop that most of the work is in, as far as the code tells: that with the most instructions of its own, each weighed by
 * {@link turns} for every loop around it. Its figures leave inner loops out. Undefined without loops.
 */
export function hottestLoop(blocks: readonly BasicBlock[]): Loop | undefined {
  const loops = naturalLoops(blocks);
  const depthOf = (header: number) => loops.filter((loop) => loop.header !== header && loop.body.has(header)).length;
  let best: { loop: Loop; weight: number } | undefined;
  for (const { header, body } of loops) {
    const inner = loops.filter((other) => other.header !== header && body.has(other.header));
    const own = [...body].filter((block) => !inner.some((other) => other.body.has(block)));
    const instructions = own.sort((a, b) => a - b).flatMap((block) => blocks[block]!.instructions);
    const depth = depthOf(header);
    const weight = instructions.length * turns ** depth;
    if (best && best.weight >= weight) continue;
    const lines = [...body]
      .sort((a, b) => a - b)
      .flatMap((block) => blocks[block]!.instructions.map(({ line }) => line));
    best = { loop: { label: blocks[header]!.label ?? "", depth, lines, ...figuresOf(instructions) }, weight };
  }
  return best?.loop;
}

/** Turns that the compiler takes a loop to make in its estimates: the outermost, one in it, and those further in. */
const estimatedTurns = [8, 4, 2] as const;

/** Multiply-adds of one lane, loops run as often as the compiler takes it in its estimates. */
export function estimatedMultiplyAdds(blocks: readonly BasicBlock[]): number {
  const loops = naturalLoops(blocks);
  return blocks.reduce((sum, { instructions }, block) => {
    const depth = loops.filter(({ body }) => body.has(block)).length;
    let times = 1;
    for (let i = 0; i < depth; i++) times *= estimatedTurns[Math.min(i, 2)]!;
    return sum + times * instructions.reduce((own, { multiplyAdds }) => own + multiplyAdds, 0);
  }, 0);
}

/** Loops by their first block. The compiler lays blocks out in reverse post-order, so that a jump back begins one. */
function naturalLoops(blocks: readonly BasicBlock[]): { header: number; body: ReadonlySet<number> }[] {
  const before: number[][] = blocks.map(() => []);
  for (const [i, { next }] of blocks.entries()) for (const to of next) before[to]!.push(i);
  const loops = new Map<number, Set<number>>();
  for (const [from, { next }] of blocks.entries()) {
    for (const header of next.filter((to) => to <= from)) {
      const body = loops.get(header) ?? new Set([header]);
      const open = [from];
      for (let block = open.pop(); block !== undefined; block = open.pop()) {
        if (body.has(block)) continue;
        body.add(block);
        open.push(...before[block]!);
      }
      loops.set(header, body);
    }
  }
  return [...loops].map(([header, body]) => ({ header, body }));
}
