/** Classic BPF (linux/filter.h), as far as seccomp(2) needs it. */
const LD_ABS = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND_K = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JA = 0x05;
const JUMPS = { eq: 0x15, gt: 0x25, ge: 0x35 } as const;
const RET_K = 0x06;

/** Instructions the kernel takes in one filter (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096;

/** A place to jump to; the number of instructions from it to the program's end. */
export type Label = number;

/** Conditional jumps reach 255 instructions; a margin leaves room for the jumps that are put between. */
const REACH = 250;

interface Instruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

/**
 * A program written from its end to its start: every jump goes forward, so its target is already there and its distance known.
 * Each method puts one instruction in front of all others and returns its place.
 */
export class BackwardProgram {
  readonly #reversed: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  /** Ends the filter with this result. */
  ret(result: number): Label {
    const known = this.#returns.get(result);
    if (known !== undefined) return known;
    const label = this.#put(RET_K, result);
    this.#returns.set(result, label);
    return label;
  }

  /** Loads the 32-bit word at an offset of struct seccomp_data, then goes on with the instruction at `next`. */
  load(offset: number, next: Label): Label {
    this.#fallInto(next);
    return this.#put(LD_ABS, offset);
  }

  and(mask: number, next: Label): Label {
    this.#fallInto(next);
    return this.#put(AND_K, mask);
  }

  /** Compares what was loaded with a constant, unsigned. */
  branch(comparison: keyof typeof JUMPS, constant: number, then: Label, otherwise: Label): Label {
    if (then === otherwise) return then;
    const far = this.#near(otherwise);
    const near = this.#near(then);
    return this.#put(JUMPS[comparison], constant, this.#distance(near), this.#distance(far));
  }

  /** The program as struct sock_filter[], little-endian as all our machines are. */
  assemble(start: Label): Uint8Array {
    this.#fallInto(start);
    const bytes = Buffer.alloc(this.#reversed.length * 8);
    for (const [index, { code, jt, jf, k }] of this.#reversed.toReversed().entries()) {
      bytes.writeUInt16LE(code, index * 8);
      bytes.writeUInt8(jt, index * 8 + 2);
      bytes.writeUInt8(jf, index * 8 + 3);
      bytes.writeUInt32LE(k, index * 8 + 4);
    }
    return new Uint8Array(bytes);
  }

  #put(code: number, k: number, jt = 0, jf = 0): Label {
    this.#reversed.push({ code, jt, jf, k: k >>> 0 });
    return this.#reversed.length;
  }

  /** Instructions between the one that is about to be put and `label`. */
  #distance(label: Label): number {
    return this.#reversed.length - label;
  }

  #near(label: Label): Label {
    return this.#distance(label) <= REACH ? label : this.#put(JA, this.#distance(label));
  }

  #fallInto(label: Label): void {
    if (this.#distance(label) > 0) this.#put(JA, this.#distance(label));
  }
}
