import { randomBytes } from 'node:crypto';

const TOKEN_BYTES = 16;

/** Values under unguessable names, each good for one use within a minute. */
export class TokenCache<T> {
  /** In order of their age. */
  readonly #entries = new Map<string, { value: T; expires: number }>();

  constructor(
    private readonly capacity = 1000,
    private readonly lifetimeMs = 60_000,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Undefined when too many wait to be used. */
  insert(value: T): string | undefined {
    this.#forgetOld();
    if (this.#entries.size >= this.capacity) return undefined;
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#entries.set(token, { value, expires: this.now() + this.lifetimeMs });
    return token;
  }

  consume(token: string): T | undefined {
    this.#forgetOld();
    const entry = this.#entries.get(token);
    this.#entries.delete(token);
    return entry?.value;
  }

  #forgetOld(): void {
    for (const [token, { expires }] of this.#entries) {
      if (expires > this.now()) return;
      this.#entries.delete(token);
    }
  }
}
