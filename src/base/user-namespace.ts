import { readFileSync } from 'node:fs';

/**
 * How many IDs there are in the user namespace of /proc/<pid>/uid_map, from 0 on; undefined in the host's, which has all of them
 * (user_namespaces(7)).
 */
export const mappedIds = (map: string): number | undefined => {
  const ranges = map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  if (ranges.length === 1 && ranges[0]?.join(' ') === '0 0 4294967295') return undefined;
  let end = 0;
  for (const [inside = 0, , count = 0] of ranges.sort(([a = 0], [b = 0]) => a - b)) if (inside === end) end += count;
  return end;
};

export const ownMappedIds = (): number | undefined => mappedIds(readFileSync('/proc/self/uid_map', 'utf8'));
