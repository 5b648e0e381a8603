let last = 0n;

/**
 * Now, in nanoseconds since the epoch, in decimal: the form of every CRI time. The system's clock as supervisors read it too, so that a
 * step of it moves all times alike; no two calls give the same time, because the kubelet sorts containers by it.
 */
export const now = (): string => {
  const clock = BigInt(Date.now()) * 1_000_000n;
  last = clock > last || last - clock > 1_000_000_000n ? clock : last + 1n;
  return String(last);
};
