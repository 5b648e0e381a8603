import { readFileSync } from 'node:fs';

/** IDs of the host that a user may give to others in a user namespace of its own: a line of /etc/subuid (subuid(5)). */
export interface Range {
  readonly start: number;
  readonly count: number;
}

/** A user, by name or by number. */
export const subordinateRanges = (text: string, name: string, id: number): Range[] =>
  text.split('\n').flatMap((line) => {
    const [owner, start, count] = line.trim().split(':');
    const range = { start: Number(start), count: Number(count) };
    const isOurs = owner === name || owner === String(id);
    return isOurs && range.start > 0 && range.count > 0 ? [range] : [];
  });

export const readRanges = (file: string, name: string, id: number): Range[] => {
  try {
    return subordinateRanges(readFileSync(file, 'utf8'), name, id);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

export const idCount = (ranges: readonly Range[]): number => ranges.reduce((sum, { count }) => sum + count, 0);

/** Arguments of newuidmap(1): root is the user, the IDs from 1 on are those of the ranges, one behind the other. */
export const mapArguments = (id: number, ranges: readonly Range[]): string[] => {
  const words = [0, id, 1];
  let next = 1;
  for (const { start, count } of ranges) {
    words.push(next, start, count);
    next += count;
  }
  return words.map(String);
};
