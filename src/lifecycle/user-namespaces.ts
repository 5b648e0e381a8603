import type { Host } from './host.js';
import type { SpawnerService } from './spawner-service.js';

const PROBE_MS = 10_000;

/** Whether this node can give pods a user namespace: the kernel is asked, once, with the file system that the layers lie on. */
export class UserNamespaces {
  #answer: Promise<string> | undefined;

  constructor(
    private readonly spawner: Pick<SpawnerService, 'run'>,
    private readonly host: Pick<Host, 'kernel' | 'mappedOverlay'>,
    private readonly binary: string,
    private readonly root: string,
  ) {}

  /** Why not; empty when it can. A probe that failed to run is repeated. */
  missing(): Promise<string> {
    this.#answer ??= this.#probe().catch((error: unknown) => {
      this.#answer = undefined;
      return error instanceof Error ? error.message : String(error);
    });
    return this.#answer;
  }

  async #probe(): Promise<string> {
    if (!this.host.mappedOverlay) return `Linux ${this.host.kernel} has no overlay of ID-mapped layers (5.19 has)`;
    const argv = [this.binary, 'probe-user-namespace', this.root];
    const result = await this.spawner.run({ argv, env: {}, stdin: '', timeoutMs: PROBE_MS, maxOutput: 1024 });
    if (result.code !== 0) throw new Error(`probe ended with ${result.code ?? `signal ${result.signal}`}`);
    return result.stdout.toString();
  }
}
