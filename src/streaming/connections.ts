import type { Socket } from 'node:net';

/** A client costs descriptors and buffers, so there is an end to them; those of a full node are some hundreds. */
export const LIMITS = {
  all: 4096,
  /** Of them without a token yet. The oldest makes room: whoever merely connects keeps nobody out. */
  unproven: 512,
  /** For TLS, the request and its refusal together. */
  unprovenMs: 15_000,
};

/** The connections of a server, and which of them have presented a token. */
export class Connections {
  /** By the client's end: of a TLS connection there are two objects. */
  readonly #all = new Map<string, Socket>();
  /** In order of their age. */
  readonly #unproven = new Map<string, NodeJS.Timeout>();

  constructor(private readonly limits = LIMITS) {}

  add(socket: Socket): void {
    const end = endOf(socket);
    const timer = setTimeout(() => socket.destroy(), this.limits.unprovenMs);
    this.#all.set(end, socket);
    this.#unproven.set(end, timer);
    socket.on('close', () => {
      clearTimeout(timer);
      if (this.#all.get(end) !== socket) return; // the client has taken the same port again
      this.#all.delete(end);
      this.#unproven.delete(end);
    });
    const [oldest] = this.#unproven.keys();
    if (oldest === undefined || this.#unproven.size <= this.limits.unproven) return;
    this.#unproven.delete(oldest);
    this.#all.get(oldest)?.destroy();
  }

  /** It has presented a token. */
  prove(socket: Socket): void {
    const end = endOf(socket);
    clearTimeout(this.#unproven.get(end));
    this.#unproven.delete(end);
  }

  destroy(): void {
    for (const socket of this.#all.values()) socket.destroy();
  }
}

const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
