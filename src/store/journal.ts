import { encodeEntry, decodeEntries, type JournalEntry, MAX_ENTRY } from './journal-entry.js';
import { formatEntry, isFormat, requireReadable } from './journal-format.js';
import { JournalFile, RESERVE } from './journal-file.js';

/** The reserve and a large pod. */
const NEW_POD = RESERVE + (128 << 10);
const COMPACT_EVERY = 4 << 20;

/**
 * What was asked of the daemon, on disk before it is acted upon. Appends are plain writes: they survive a killed daemon at once and a
 * power loss after the kernel's write-back, which loses at most objects that died with the machine anyway.
 *
 * On a disk that is full or read-only nothing new is made, and all there is can end.
 */
export class Journal {
  #live = new Map<string, Map<string, object>>();
  #compactAt = 0;
  /** Objects whose newest state could not be written; it is written before anything else. */
  readonly #owed = new Map<string, { kind: string; id: string }>();

  private constructor(
    private readonly file: JournalFile,
    private readonly onTrouble: (error: unknown, what: string) => void,
  ) {}

  /**
   * Opens the journal, drops what a crash left half-written, and rewrites it, if that can be done, to hold only live objects.
   * @throws FAILED_PRECONDITION for one that a newer daemon wrote
   */
  static open(path: string, onTrouble: (error: unknown, what: string) => void = () => undefined): Journal {
    const file = new JournalFile(path);
    const journal = new Journal(file, onTrouble);
    const data = file.read();
    const { entries, end } = decodeEntries(data);
    requireReadable(path, data, entries);
    for (const entry of entries) if (!isFormat(entry)) journal.#apply(entry);
    if (!journal.#isCompacted()) journal.#goOn(end, data.length);
    return journal;
  }

  /** Live objects of a kind, as they were last put. */
  all(kind: string): Map<string, object> {
    return new Map(this.#live.get(kind));
  }

  put(kind: string, id: string, value: object): void {
    // What is new leaves the reserve to what ends.
    this.#append({ kind, id, value }, value, RESERVE);
  }

  /** New values for some fields of an object that has been put; `value` is what that makes of it. */
  change(kind: string, id: string, change: object, value: object): void {
    this.#append({ kind, id, change }, value, 0);
  }

  /** A change that happens whether it can be written or not. */
  note(kind: string, id: string, change: object, value: object): void {
    this.#appendOrOwe({ kind, id, change }, value);
  }

  delete(kind: string, id: string): void {
    this.#appendOrOwe({ kind, id });
  }

  /** Why nothing new can be written down; undefined when it can. What is owed is written. */
  trouble(): Error | undefined {
    try {
      this.file.check();
      if (this.#owed.size > 0 || this.file.free < NEW_POD) this.#write(Buffer.alloc(0), NEW_POD);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  close(): void {
    this.file.close();
  }

  #append(entry: JournalEntry, value: object, reserve: number): void {
    this.#write(encodeEntry(entry), reserve);
    this.#apply({ ...entry, value });
    this.#keepSmall();
  }

  #appendOrOwe(entry: JournalEntry, value?: object): void {
    const { kind, id } = entry;
    const frame = encodeEntry(entry);
    try {
      this.#write(frame, 0);
    } catch (error) {
      if (this.#owed.size === 0)
        this.onTrouble(error, 'the journal cannot be written: what ends is kept in memory until it can');
      this.#owed.set(`${kind} ${id}`, { kind, id });
    }
    this.#apply({ kind, id, value });
    this.#keepSmall();
  }

  #write(frame: Buffer, reserve: number): void {
    // Before all that is owed is put together for nothing.
    if (this.#owed.size > 0) this.file.check();
    this.file.append(Buffer.concat([...this.#owedFrames(), frame]), reserve);
    this.#owed.clear();
  }

  #owedFrames(): Buffer[] {
    return [...this.#owed.values()].map(({ kind, id }) =>
      encodeEntry({ kind, id, value: this.#live.get(kind)?.get(id) }, MAX_ENTRY),
    );
  }

  #apply({ kind, id, value, change }: JournalEntry): void {
    let objects = this.#live.get(kind);
    if (!objects) this.#live.set(kind, (objects = new Map()));
    const old = objects.get(id);
    if (value) objects.set(id, value);
    else if (!change) objects.delete(id);
    else if (old) objects.set(id, { ...old, ...change });
  }

  #keepSmall(): void {
    if (this.file.size > this.#compactAt && !this.#isCompacted()) this.#compactAt = this.file.size + COMPACT_EVERY;
  }

  #isCompacted(): boolean {
    try {
      this.#compact();
      return true;
    } catch (error) {
      this.onTrouble(error, 'the journal is not compacted but goes on as it is');
      return false;
    }
  }

  #compact(): void {
    const frames = [encodeEntry(formatEntry())];
    for (const [kind, objects] of this.#live)
      for (const [id, value] of objects) frames.push(encodeEntry({ kind, id, value }, MAX_ENTRY));
    this.file.replace(Buffer.concat(frames));
    this.#owed.clear();
    this.#compactAt = Math.max(COMPACT_EVERY, this.file.size * 4);
  }

  #goOn(end: number, length: number): void {
    this.file.goOn(end, length);
    this.#compactAt = end + COMPACT_EVERY;
  }
}
