const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export const bytes = (size: number): string => {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(size, 1)) / 3));
  return `${Number((size / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
};

/** Since a CRI time, nanoseconds since the epoch, in the unit that says most. */
export const age = (since: string, now = Date.now()): string => {
  const seconds = Math.max(0, Math.floor(now / 1000 - Number(BigInt(since) / 1_000_000_000n)));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
};
