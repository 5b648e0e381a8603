import type { Writable } from 'node:stream';

/** Standard inputs of containers that clients hold: an input ends when the last of its descriptors is closed. */
export class AttachedInputs {
  readonly #inputs = new Map<string, Set<Writable>>();

  add(containerId: string, input: Writable): void {
    const inputs = this.#inputs.get(containerId) ?? new Set();
    this.#inputs.set(containerId, inputs.add(input));
    input.once('close', () => {
      inputs.delete(input);
      if (inputs.size === 0 && this.#inputs.get(containerId) === inputs) this.#inputs.delete(containerId);
    });
  }

  /** What was written is still delivered. */
  endAll(containerId: string): void {
    for (const input of this.#inputs.get(containerId) ?? []) input.end();
  }
}
