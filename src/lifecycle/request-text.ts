/**
 * What a request asks for, as text that two requests for the same have in common: clients written in Go marshal maps in random order, and
 * the kubelet makes the list of environment variables from one.
 */
export const requestText = (request: unknown): string => JSON.stringify(request, inOrder);

const inOrder = (key: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return Object.fromEntries(Object.entries(value).sort(byName));
  if (key === 'envs') return value.toSorted(byKey);
  return typeof value[0] === 'number' ? value.join() : value; // bytes: a call for each would be most of the work
};

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => compare(a, b);

/** Stable: of two with one key, the last one counts. */
const byKey = (a: { key: string }, b: { key: string }): number => compare(a.key, b.key);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
