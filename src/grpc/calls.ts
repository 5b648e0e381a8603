/** The calls that are being answered, so that the end of the daemon can answer what is left of them. */
export class Calls {
  readonly #running = new Set<() => void>();

  /** `refuse` answers the call in place of whoever works on it. The result tells that one whether the answer is still its own to give. */
  begin(refuse: () => void): () => boolean {
    this.#running.add(refuse);
    return () => this.#running.delete(refuse);
  }

  /** Answers everything that is running, now. */
  cut(): void {
    const running = [...this.#running];
    this.#running.clear();
    for (const refuse of running) refuse();
  }
}
