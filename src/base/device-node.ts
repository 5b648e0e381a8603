/** What stat(2) says, as far as it tells devices apart. */
interface Stat {
  readonly rdev: number;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
}

export interface DeviceNode {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
}

/** The device that a node stands for: st_rdev as the kernel packs it for user space (makedev(3)). */
export const deviceNode = (info: Stat): DeviceNode | undefined => {
  if (!info.isBlockDevice() && !info.isCharacterDevice()) return undefined;
  const rdev = BigInt(info.rdev);
  return {
    type: info.isBlockDevice() ? 'b' : 'c',
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
};
