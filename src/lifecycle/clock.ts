/** Now, in nanoseconds since the epoch, in decimal: the form of every CRI time. Microsecond steps, which is what Node can tell. */
export const now = (): string =>
  String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
