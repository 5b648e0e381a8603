/** A system call as seccomp(2) shows it to a filter. */
export interface Call {
  arch: number;
  nr: number;
  args: bigint[];
}

/** The kernel's interpreter of classic BPF, for the instructions seccomp(2) accepts here; fails on any other. */
export function run(filter: Uint8Array, { arch, nr, args }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr >>> 0, 0);
  data.writeUInt32LE(arch, 4);
  for (const [index, arg] of args.entries()) data.writeBigUInt64LE(arg, 16 + 8 * index);
  const code = Buffer.from(filter);
  let a = 0;
  for (let pc = 0; pc * 8 < code.length; ) {
    const at = pc * 8;
    const k = code.readUInt32LE(at + 4);
    const jump = (taken: boolean) => 1 + code.readUInt8(at + (taken ? 2 : 3));
    switch (code.readUInt16LE(at)) {
      case 0x20:
        a = data.readUInt32LE(k);
        pc += 1;
        break;
      case 0x54:
        a = (a & k) >>> 0;
        pc += 1;
        break;
      case 0x05:
        pc += 1 + k;
        break;
      case 0x15:
        pc += jump(a === k);
        break;
      case 0x25:
        pc += jump(a > k);
        break;
      case 0x35:
        pc += jump(a >= k);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${pc} is not one of ours`);
    }
  }
  throw new Error('ran off the end');
}
