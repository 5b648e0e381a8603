const SLICE_MS = 5;

/** Reads one object after the other, letting other requests in between: a node full of containers must not hold up the answers to them. */
export const inSlices = async <T, R>(objects: readonly T[], read: (object: T) => R): Promise<R[]> => {
  const results: R[] = [];
  let end = performance.now() + SLICE_MS;
  for (const object of objects) {
    if (performance.now() > end) {
      await new Promise((resolve) => setImmediate(resolve));
      end = performance.now() + SLICE_MS;
    }
    results.push(read(object));
  }
  return results;
};
