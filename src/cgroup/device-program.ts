import { invalidArgument } from '../base/errors.js';
import type { OciDeviceRule } from '../oci/spec.js';

/** Instructions that every kernel takes in one program (BPF_MAXINSNS; more only from Linux 5.2 on). */
const MAX_INSTRUCTIONS = 4096;

/** linux/bpf.h: what struct bpf_cgroup_dev_ctx calls the kinds of devices and of access. */
const TYPES = { b: 1, c: 2 } as const;
const ACCESS = { m: 1, r: 2, w: 4 } as const;
const ALL_ACCESS = 7;

/** Registers: the verdict, the context, then what the program takes apart. */
const [R0, R1, TYPE, ACCESSED, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];

const LOAD_WORD = 0x61; // dst = *(u32 *)(src + offset)
const AND = 0x54;
const SHIFT_RIGHT = 0x74;
const COPY = 0xbc;
const SET = 0xb4;
const JUMP = 0x05;
const JUMP_IF_ANY_BIT = 0x45;
const JUMP_UNLESS_EQUAL = 0x55;
const EXIT = 0x95;

/** One struct bpf_insn; `offset` of a jump counts from the instruction after it. */
interface Instruction {
  readonly code: number;
  readonly to?: number;
  readonly from?: number;
  readonly offset?: number;
  readonly value?: number;
}

/**
 * The device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program, struct bpf_insn[]: v2 has no other device controller. As on v1 a later rule
 * wins over an earlier one, what no rule allows is denied, and one rule must allow all of an access. Undefined when everything is
 * allowed, which needs no program.
 */
export const deviceProgram = (rules: readonly OciDeviceRule[]): Uint8Array | undefined => {
  const decisive = rules.toReversed();
  const last = decisive.findIndex(isUnconditional);
  if (last >= 0) decisive.splice(last + 1);
  if (last === 0 && decisive[0]?.allow) return undefined;
  // The kernel refuses instructions that nothing leads to: after a rule for everything there is no otherwise.
  const otherwise = last >= 0 ? [] : verdict(false);
  const program = [...PROLOGUE, ...decisive.flatMap(ruleBlock), ...otherwise];
  if (program.length > MAX_INSTRUCTIONS)
    throw invalidArgument(`too many devices: ${rules.length} rules do not fit into one program of the kernel`);
  return encode(program);
};

const isUnconditional = ({ type = 'a', access }: OciDeviceRule): boolean => type === 'a' && mask(access) === ALL_ACCESS;

const PROLOGUE: readonly Instruction[] = [
  { code: LOAD_WORD, to: TYPE, from: R1, offset: 0 },
  { code: COPY, to: ACCESSED, from: TYPE },
  { code: SHIFT_RIGHT, to: ACCESSED, value: 16 },
  { code: AND, to: TYPE, value: 0xffff },
  { code: LOAD_WORD, to: MAJOR, from: R1, offset: 4 },
  { code: LOAD_WORD, to: MINOR, from: R1, offset: 8 },
];

const verdict = (allow: boolean): Instruction[] => [{ code: SET, to: R0, value: allow ? 1 : 0 }, { code: EXIT }];

/** Conditions, each leaving the block when it does not hold, then the verdict. */
const ruleBlock = ({ allow, type = 'a', major, minor, access }: OciDeviceRule): Instruction[] => {
  const unlessEqual = (register: number, value: number | undefined): Instruction[] =>
    value === undefined || value < 0 ? [] : [{ code: JUMP_UNLESS_EQUAL, to: register, value }];
  const numbers = type === 'a' ? [] : [...unlessEqual(MAJOR, major), ...unlessEqual(MINOR, minor)];
  const conditions = [
    ...unlessEqual(TYPE, type === 'b' || type === 'c' ? TYPES[type] : undefined),
    ...(allow ? unlessWithin(mask(access)) : unlessTouched(mask(access))),
    ...numbers,
  ];
  const block = [...conditions, ...verdict(allow)];
  return block.map((instruction, at) =>
    at < conditions.length && instruction.offset === undefined
      ? { ...instruction, offset: block.length - at - 1 }
      : instruction,
  );
};

/** An allowing rule must cover the whole access. */
const unlessWithin = (allowed: number): Instruction[] =>
  allowed === ALL_ACCESS ? [] : [{ code: JUMP_IF_ANY_BIT, to: ACCESSED, value: ALL_ACCESS & ~allowed }];

/** A denying rule is decisive when any part of the access is denied. */
const unlessTouched = (denied: number): Instruction[] =>
  denied === ALL_ACCESS ? [] : [{ code: JUMP_IF_ANY_BIT, to: ACCESSED, value: denied, offset: 1 }, { code: JUMP }];

const mask = (access: string): number =>
  access.split('').reduce((bits, letter) => bits | (ACCESS[letter as keyof typeof ACCESS] ?? 0), 0);

const encode = (program: readonly Instruction[]): Uint8Array => {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, to = 0, from = 0, offset = 0, value = 0 }] of program.entries()) {
    bytes.writeUInt8(code, index * 8);
    bytes.writeUInt8(to | (from << 4), index * 8 + 1);
    bytes.writeInt16LE(offset, index * 8 + 2);
    bytes.writeInt32LE(value, index * 8 + 4);
  }
  return new Uint8Array(bytes);
};
