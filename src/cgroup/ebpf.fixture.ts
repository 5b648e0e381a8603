/** What a device program is asked: struct bpf_cgroup_dev_ctx. */
export interface DeviceAccess {
  type: 'b' | 'c';
  major: number;
  minor: number;
  access: string;
}

/** Instructions that nothing leads to: the kernel's verifier refuses a program that has any. */
export function unreachable(program: Uint8Array): number[] {
  const code = Buffer.from(program);
  const reached = new Set<number>();
  const walk = (pc: number): void => {
    if (reached.has(pc)) return;
    if (pc * 8 >= code.length) throw new Error('ran off the end');
    reached.add(pc);
    const operation = code.readUInt8(pc * 8);
    const offset = code.readInt16LE(pc * 8 + 2);
    if (operation === 0x95) return;
    if (operation !== 0x05) walk(pc + 1);
    if ([0x05, 0x45, 0x55].includes(operation)) walk(pc + 1 + offset);
  };
  walk(0);
  return Array.from({ length: code.length / 8 }, (_, pc) => pc).filter((pc) => !reached.has(pc));
}

/** The kernel's interpreter of eBPF, for the instructions of a device program; fails on any other. */
export function allows(program: Uint8Array, { type, major, minor, access }: DeviceAccess): boolean {
  const bits = access.split('').reduce((sum, letter) => sum | ({ m: 1, r: 2, w: 4 }[letter] ?? 0), 0);
  const context = [(bits << 16) | (type === 'b' ? 1 : 2), major, minor];
  const code = Buffer.from(program);
  const registers = Array.from({ length: 11 }, () => Number.NaN);
  for (let pc = 0; pc * 8 < code.length; pc++) {
    const at = pc * 8;
    const to = code.readUInt8(at + 1) & 15;
    const from = code.readUInt8(at + 1) >> 4;
    const offset = code.readInt16LE(at + 2);
    const value = code.readInt32LE(at + 4);
    const current = registers[to] as number;
    switch (code.readUInt8(at)) {
      case 0x61:
        if (from !== 1) throw new Error(`instruction ${pc} reads elsewhere than the context`);
        registers[to] = context[offset / 4] as number;
        break;
      case 0xbc:
        registers[to] = registers[from] as number;
        break;
      case 0xb4:
        registers[to] = value;
        break;
      case 0x54:
        registers[to] = current & value;
        break;
      case 0x74:
        registers[to] = current >>> value;
        break;
      case 0x05:
        pc += offset;
        break;
      case 0x45:
        if ((current & value) !== 0) pc += offset;
        break;
      case 0x55:
        if (current !== value) pc += offset;
        break;
      case 0x95:
        return registers[0] === 1;
      default:
        throw new Error(`instruction ${pc} is not one of ours`);
    }
  }
  throw new Error('ran off the end');
}
