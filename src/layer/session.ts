import { readFile } from 'node:fs/promises';
import { writeDurably } from '../base/durable-file.js';

interface Mark {
  readonly version: 1;
  readonly number: number;
  /** What sessions up to this one made is on disk. */
  readonly trusted: number;
  /** Boot of the machine in which the session ran. */
  readonly boot: string;
  /** It ended in order. Taken away again by the next start. */
  readonly clean: boolean;
}

const NONE: Mark = { version: 1, number: 0, trusted: 0, boot: '', clean: false };

/**
 * One run of the daemon over the store. Sessions are numbered, because a clock may be set back. After a power loss only what was made
 * since the last orderly stop is in doubt; a daemon that was killed loses nothing, for the kernel has all it wrote.
 */
export class Session {
  #mark: Mark;

  private constructor(
    private readonly file: string,
    private readonly previous: Mark,
    private readonly boot: string,
  ) {
    this.#mark = previous;
  }

  /** @param boot identifies the running kernel, as /proc/sys/kernel/random/boot_id does (random(4)) */
  static async open(file: string, boot: string): Promise<Session> {
    return new Session(file, (await readMark(file)) ?? NONE, boot);
  }

  get number(): number {
    return this.#mark.number;
  }

  /** Whether something that session `number` made may have been lost by the machine. */
  doubts(number: number): boolean {
    const { clean, boot, trusted, number: last } = this.previous;
    if (clean) return number > last; // of a session that could not even write its mark
    return boot !== this.boot && number > trusted;
  }

  /** Starts the session, when all that was in doubt is verified or gone. `highest` is the last session that left something. */
  async begin(highest: number): Promise<void> {
    const { clean, boot, trusted, number } = this.previous;
    const last = Math.max(number, highest);
    const unverified = !clean && boot === this.boot;
    this.#mark = {
      version: 1,
      number: last + 1,
      trusted: unverified ? trusted : last,
      boot: this.boot,
      clean: false,
    };
    await this.#write();
  }

  /** The orderly stop, when nothing is being made any more. */
  async end(): Promise<void> {
    this.#mark = { ...this.#mark, clean: true };
    await this.#write();
  }

  async #write(): Promise<void> {
    await writeDurably(this.file, JSON.stringify(this.#mark));
  }
}

/** Without a mark that can be read, everything is in doubt; that costs a walk, and nothing that is whole. */
const readMark = async (file: string): Promise<Mark | undefined> => {
  try {
    const mark = JSON.parse(await readFile(file, 'utf8')) as Partial<Mark> | null;
    const whole =
      mark?.version === 1 &&
      Number.isSafeInteger(mark.number) &&
      Number.isSafeInteger(mark.trusted) &&
      typeof mark.boot === 'string' &&
      typeof mark.clean === 'boolean';
    return whole ? (mark as Mark) : undefined;
  } catch {
    return undefined;
  }
};
