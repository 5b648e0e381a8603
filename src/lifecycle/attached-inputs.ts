import type { Writable } from 'node:stream';

interface Place {
  input: Writable | undefined;
  ended: boolean;
}

/** Standard inputs of containers that clients hold: an input ends when the last of its descriptors is closed. */
export class AttachedInputs {
  readonly #places = new Map<string, Set<Place>>();

  /**
   * Keeps a place for an input that is being opened: an end that comes before it is there is its end, too. To be called with the input,
   * or with undefined when there is none.
   */
  reserve(containerId: string): (input: Writable | undefined) => void {
    const place: Place = { input: undefined, ended: false };
    const places = this.#places.get(containerId) ?? new Set();
    this.#places.set(containerId, places.add(place));
    const leave = () => {
      places.delete(place);
      if (places.size === 0 && this.#places.get(containerId) === places) this.#places.delete(containerId);
    };
    return (input) => {
      if (!input || input.destroyed) return leave();
      place.input = input;
      input.once('close', leave);
      if (place.ended) input.end();
    };
  }

  /** What was written is still delivered. */
  endAll(containerId: string): void {
    for (const place of this.#places.get(containerId) ?? []) {
      place.ended = true;
      place.input?.end();
    }
  }
}
