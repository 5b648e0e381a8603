import { readFileSync, statSync } from 'node:fs';
import type { Config } from '../base/config.js';

export interface TlsMaterial {
  cert: Buffer;
  key: Buffer;
  ca?: Buffer;
  requestCert: boolean;
  rejectUnauthorized: boolean;
}

/** Certificate, key and client authorities on disk; whoever renews them need not restart the daemon. */
export class TlsFiles {
  #seen = '';

  private constructor(
    private readonly cert: string,
    private readonly key: string,
    private readonly clientCa: string | undefined,
  ) {}

  /** Undefined when the configuration asks for no TLS. */
  static of({ tls_cert, tls_key, tls_client_ca }: Config['streaming']): TlsFiles | undefined {
    return tls_cert !== undefined && tls_key !== undefined ? new TlsFiles(tls_cert, tls_key, tls_client_ca) : undefined;
  }

  read(): TlsMaterial {
    this.#seen = this.#state();
    const clients = this.clientCa !== undefined;
    return {
      cert: readFileSync(this.cert),
      key: readFileSync(this.key),
      ...(this.clientCa === undefined ? {} : { ca: readFileSync(this.clientCa) }),
      requestCert: clients,
      rejectUnauthorized: clients,
    };
  }

  readIfChanged(): TlsMaterial | undefined {
    return this.#state() === this.#seen ? undefined : this.read();
  }

  #state(): string {
    const files = [this.cert, this.key, ...(this.clientCa === undefined ? [] : [this.clientCa])];
    return files
      .map((file) => {
        const { ino, mtimeMs, size } = statSync(file);
        return `${ino}:${mtimeMs}:${size}`;
      })
      .join(' ');
  }
}
