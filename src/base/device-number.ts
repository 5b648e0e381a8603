/** The two numbers of a device, from st_dev as the C library encodes it (makedev(3)). */
export const deviceNumber = (dev: bigint): { readonly major: bigint; readonly minor: bigint } => ({
  major: ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n),
  minor: (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n),
});
