/** Operations on one object queue behind each other; operations on different objects never wait for each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async run<T>(id: string, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(id) ?? Promise.resolve();
    const mine = before.then(operation, operation);
    const settled = mine.catch(() => undefined);
    this.#last.set(id, settled);
    try {
      return await mine;
    } finally {
      if (this.#last.get(id) === settled) this.#last.delete(id);
    }
  }
}

/** A repeated request joins the running operation with the same key and gets its result; "name is reserved" does not exist. */
export class Flights {
  readonly #running = new Map<string, { detail: string; result: Promise<unknown> }>();

  /** Joins when `detail` (what exactly was asked) agrees too; `onConflict` says how to refuse when it does not. */
  async run<T>(key: string, detail: string, operation: () => Promise<T>, onConflict: () => Error): Promise<T> {
    const running = this.#running.get(key);
    if (running && running.detail !== detail) throw onConflict();
    return this.join(key, operation, detail);
  }

  /** For what can be asked in one way only. */
  async join<T>(key: string, operation: () => Promise<T>, detail = ''): Promise<T> {
    const running = this.#running.get(key);
    if (running) return (await running.result) as T;
    const result = operation();
    this.#running.set(key, { detail, result });
    try {
      return await result;
    } finally {
      this.#running.delete(key);
    }
  }
}
