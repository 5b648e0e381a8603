const SLICE_MS = 5;

/** One long piece of work: after each few milliseconds of it others have their turn. */
export class Slices {
  #end = performance.now() + SLICE_MS;

  get isOver(): boolean {
    return performance.now() > this.#end;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#end = performance.now() + SLICE_MS;
  }
}

/** Does one short step after the other, letting other requests in between: a node full of containers must not hold up the answers to them. */
export const inSlices = async <T, R>(
  objects: readonly T[],
  step: (object: T) => R | Promise<R>,
  slices = new Slices(),
): Promise<R[]> => {
  const results: R[] = [];
  for (const object of objects) {
    if (slices.isOver) await slices.next();
    const result = step(object);
    // Waiting for what is there takes longer than many a step.
    results.push(result instanceof Promise ? await result : result);
  }
  return results;
};
