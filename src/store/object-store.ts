import { invalidArgument, notFound } from '../base/errors.js';
import { Listeners } from '../base/listeners.js';
import type { Journal } from './journal.js';

/** 64 random lower-case hex digits, as the kubelet and cAdvisor expect of sandbox and container IDs. */
const ID = /^[0-9a-f]{64}$/;

export interface StoredObject {
  readonly id: string;
}

/**
 * All objects of one kind: the in-memory truth that every read RPC is answered from, each change journalled before it is visible.
 * Records are immutable: an update replaces the record, so a reader never sees half a change.
 */
export class ObjectStore<T extends StoredObject> {
  readonly #objects = new Map<string, T>();
  /** Told after each change, with the record before and after it; undefined is: none. */
  readonly changes = new Listeners<[before: T | undefined, after: T | undefined]>();

  constructor(
    private readonly kind: string,
    private readonly journal: Journal,
    /** What a record of an older version is in this one. */
    upgrade: (record: T) => T = (record) => record,
  ) {
    for (const [id, value] of journal.all(kind)) if (ID.test(id)) this.#objects.set(id, upgrade(value as T));
  }

  /** By full ID. */
  get(id: string): T | undefined {
    return this.#objects.get(id);
  }

  /** By full ID or an unambiguous prefix of one, as `crictl` users type them; undefined when there is none. */
  find(idOrPrefix: string): T | undefined {
    const exact = this.#objects.get(idOrPrefix);
    if (exact || !/^[0-9a-f]{1,63}$/.test(idOrPrefix)) return exact;
    const matches = [...this.#objects.values()].filter((object) => object.id.startsWith(idOrPrefix));
    if (matches.length > 1)
      throw invalidArgument(
        `ambiguous ID: "${idOrPrefix}" is the beginning of ${matches.length} ${this.kind} IDs; give more digits`,
      );
    return matches[0];
  }

  /** As `find`, or NOT_FOUND. */
  require(idOrPrefix: string): T {
    if (idOrPrefix === '') throw invalidArgument(`missing ID: the request names no ${this.kind}`);
    const object = this.find(idOrPrefix);
    if (!object) throw notFound(`no such ${this.kind}: "${idOrPrefix}"`);
    return object;
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  put(object: T): void {
    const before = this.#objects.get(object.id);
    this.journal.put(this.kind, object.id, object);
    this.#objects.set(object.id, object);
    this.changes.tell(before, object);
  }

  /** Replaces fields of an object that is still there, or throws when that cannot be journalled; what was removed meanwhile stays removed. */
  update(id: string, change: Partial<Omit<T, 'id'>>): T | undefined {
    return this.#change(id, change, (updated) => this.journal.change(this.kind, id, change, updated));
  }

  /** As `update`, of what happens whether it can be journalled or not: an end. The next start could learn it again. */
  learn(id: string, change: Partial<Omit<T, 'id'>>): T | undefined {
    return this.#change(id, change, (updated) => this.journal.note(this.kind, id, change, updated));
  }

  /** Answers whether it was there: of two that remove the same, one gets to clean up behind it. */
  delete(id: string): boolean {
    const before = this.#objects.get(id);
    if (!before) return false;
    this.journal.delete(this.kind, id);
    this.#objects.delete(id);
    this.changes.tell(before, undefined);
    return true;
  }

  #change(id: string, change: Partial<Omit<T, 'id'>>, journalled: (updated: T) => void): T | undefined {
    const old = this.#objects.get(id);
    if (!old) return undefined;
    const updated = { ...old, ...change };
    journalled(updated);
    this.#objects.set(id, updated);
    this.changes.tell(old, updated);
    return updated;
  }
}
