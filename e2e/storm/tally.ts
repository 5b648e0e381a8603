import { status } from '@grpc/grpc-js';

/** What a client has to live with while things break: it asks again, or gives up. */
const WEATHER: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
]);

/** What has been done, how often, and what should not have happened. */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly faults: string[] = [];

  add(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** Does it and counts it; undefined when it failed for a reason that a storm is a reason for. */
  async attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.add(what);
      return result;
    } catch (error) {
      this.#failed(what, error);
      return undefined;
    }
  }

  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([one], [other]) => one.localeCompare(other)));
  }

  #failed(what: string, error: unknown): void {
    const { code, message } = error as { code?: status; message: string };
    this.add(`${what}: ${code === undefined ? 'error' : status[code]}`);
    if (code !== undefined && WEATHER.has(code)) return;
    // The kubelet reads this word with the status UNKNOWN alone.
    if (code !== status.UNKNOWN || !message.includes('RegistryUnavailable: ')) this.faults.push(`${what}: ${message}`);
  }
}
