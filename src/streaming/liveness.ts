/** A client that has vanished shows it only to who writes; where nothing else is written, this does. */
const PING_MS = 30_000;

export interface LivenessOptions {
  /** 0: for ever. */
  idleMs: number;
  ping: () => void;
  /** Nothing has gone through for so long. */
  expire: () => void;
}

/** The clocks of one client's connection. */
export class Liveness {
  readonly #pings: NodeJS.Timeout;
  readonly #idle: NodeJS.Timeout | undefined;

  constructor({ idleMs, ping, expire }: LivenessOptions) {
    this.#pings = setInterval(ping, PING_MS);
    this.#idle = idleMs > 0 ? setTimeout(expire, idleMs) : undefined;
  }

  /** Bytes went through. */
  touch(): void {
    this.#idle?.refresh();
  }

  stop(): void {
    clearInterval(this.#pings);
    clearTimeout(this.#idle);
  }
}
