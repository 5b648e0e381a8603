/** A part of a request, as it went. Milliseconds; `at` is since the request began. */
export interface Phase {
  readonly what: string;
  readonly at: number;
  readonly ms: number;
}

/** A request that made something, and where its time went. */
export interface Passage {
  readonly what: string;
  /** Of the pod sandbox; empty when none is known. */
  readonly sandbox: string;
  /** Of the container; empty of a whole pod. */
  readonly container: string;
  /** What people call it. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly begunAt: number;
  readonly ms: number;
  readonly phases: readonly Phase[];
  /** Why it failed. */
  readonly error?: string;
}

export type Subject = Pick<Passage, 'what' | 'sandbox' | 'container' | 'name'>;

/** Does a part of a request. */
export type Timed = <T>(what: string, work: () => T | Promise<T>) => Promise<T>;

interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds that no change of the time disturbs. */
  readonly elapsed: () => number;
}

/** Restarts of a container that crashes push out the oldest. */
const MOST_OF_POD = 40;
const MOST_FAILURES = 50;
const MOST_TEXT = 1000;

/** What became of requests and where their time went: of each pod as long as it is there, and the last failures of all. In memory alone. */
export class Timelines {
  readonly #pods = new Map<string, Passage[]>();
  readonly #failures: Passage[] = [];

  constructor(
    /** Whether there is such a pod (any more). */
    private readonly isThere: (sandbox: string) => boolean,
    private readonly clock: Clock = { now: Date.now, elapsed: () => performance.now() },
  ) {}

  /** Does a request and remembers it when it ends, well or badly. */
  async pass<T>(subject: Subject, work: (timed: Timed) => Promise<T>): Promise<T> {
    const [begunAt, begin] = [this.clock.now(), this.clock.elapsed()];
    const phases: Phase[] = [];
    const timed: Timed = async (what, part) => {
      const from = this.clock.elapsed();
      try {
        return await part();
      } finally {
        phases.push({ what, at: rounded(from - begin), ms: rounded(this.clock.elapsed() - from) });
      }
    };
    const ended = (): Passage => ({ ...subject, begunAt, ms: rounded(this.clock.elapsed() - begin), phases });
    try {
      const result = await work(timed);
      this.#keep(ended());
      return result;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const failed = { ...ended(), error: text.slice(0, MOST_TEXT) };
      this.#keep(failed);
      if (this.#failures.push(failed) > MOST_FAILURES) this.#failures.shift();
      throw error;
    }
  }

  /** From the oldest to the newest. */
  of(sandbox: string): readonly Passage[] {
    return this.#pods.get(sandbox) ?? [];
  }

  ofContainer(sandbox: string, container: string): readonly Passage[] {
    return this.of(sandbox).filter((passage) => passage.container === container);
  }

  failures(): readonly Passage[] {
    return [...this.#failures];
  }

  /** When the pod is gone. */
  forget(sandbox: string): void {
    this.#pods.delete(sandbox);
  }

  #keep(passage: Passage): void {
    if (!this.isThere(passage.sandbox)) return;
    const all = this.#pods.get(passage.sandbox) ?? [];
    if (all.push(passage) > MOST_OF_POD) all.shift();
    this.#pods.set(passage.sandbox, all);
  }
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;
