import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../base/errors.js';
import { isDigest } from './digest.js';
import { makePrivateDirectory, removeDurably, writeDurably } from '../base/durable-file.js';
import { unlessUnwritable } from '../base/unwritable.js';
import { freeze, type ImageRecord, inMemory, parseRecord, type StoredImage } from './image-record.js';
import { canonical, parseReference } from './reference.js';

export type { ImageRecord, StoredImage } from './image-record.js';

const RECORD = /^[0-9a-f]{64,128}\.json$/;
const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{12,64})$/;

/** More than most images say of themselves, and little for the daemon. */
const RECENT = 16;
const RECENT_BYTES = 64 << 10;

/** The images of this node: durable records with an index in memory. Lists never wait; a change is visible once it is on disk. */
export class ImageStore {
  readonly #directory: string;
  readonly #images = new Map<string, ImageRecord>();
  /** Tag or digest reference → image ID. */
  readonly #names = new Map<string, string>();
  /** What was last read, by image ID: containers of one image are created one after another. */
  readonly #recent = new Map<string, StoredImage>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Reads all records below `directory`; what is not a whole record is removed: the image is pulled again when it is needed. */
  static async open(directory: string): Promise<ImageStore> {
    await makePrivateDirectory(directory);
    const store = new ImageStore(directory);
    const records: ImageRecord[] = [];
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const record = RECORD.test(name) ? parseRecord(await readFile(path, 'utf8')) : undefined;
      if (record && fileOf(record.id) === name) records.push(inMemory(record));
      else await rm(path, { recursive: true, force: true }).catch(unlessUnwritable);
    }
    // A tag that moved just before a power loss is in two records: the younger one has it.
    records.sort((a, b) => (a.pulledAt < b.pulledAt ? -1 : 1));
    for (const record of records) store.#index(record);
    return store;
  }

  list(): ImageRecord[] {
    return [...this.#images.values()];
  }

  get(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  /** All that is known of an image; undefined when it is gone meanwhile. */
  async read(id: string): Promise<StoredImage | undefined> {
    const recent = this.#recent.get(id);
    if (recent) return recent;
    const text = await readFile(join(this.#directory, fileOf(id)), 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    });
    const stored = parseRecord(text);
    if (stored && text.length <= RECENT_BYTES && this.#images.has(id)) this.#remember(stored);
    return stored;
  }

  /** By ID, by an unambiguous beginning of it (12 digits or more), by tag or by digest. */
  resolve(name: string): ImageRecord | undefined {
    if (isDigest(name)) return this.#images.get(name);
    const known = this.#named(name);
    if (known) return known;
    const prefix = ID_PREFIX.exec(name)?.[1];
    if (prefix === undefined) return undefined;
    const matches = this.list().filter(({ id }) => id.startsWith(`sha256:${prefix}`));
    return matches.length === 1 ? matches[0] : undefined;
  }

  /** Is any image of this repository here? */
  hasOf(repository: string): boolean {
    for (const name of this.#names.keys()) if (name.startsWith(`${repository}@`)) return true;
    return false;
  }

  /**
   * Adds an image, or another name to one that is there. A tag names one image only: it leaves the one that had it.
   * Resolves to the record as it is now, and whether the image is new.
   */
  put(record: StoredImage): Promise<{ record: ImageRecord; added: boolean }> {
    return this.#serially(async () => {
      const known = this.#images.has(record.id);
      const old = known ? await this.read(record.id) : undefined;
      const merged = freeze(
        old
          ? {
              ...old,
              repoTags: union(old.repoTags, record.repoTags),
              repoDigests: union(old.repoDigests, record.repoDigests),
              pinned: old.pinned || record.pinned,
              pulledAt: record.pulledAt,
            }
          : record,
      );
      await this.#write(merged);
      for (const tag of record.repoTags) await this.#untag(tag, record.id);
      const kept = inMemory(merged);
      this.#index(kept);
      return { record: kept, added: !known };
    });
  }

  /** Forgets an image with all its names; undefined when it is gone already. */
  remove(id: string): Promise<ImageRecord | undefined> {
    return this.#serially(async () => {
      const record = this.#images.get(id);
      if (!record) return undefined;
      await removeDurably(join(this.#directory, fileOf(id)));
      this.#images.delete(id);
      this.#recent.delete(id);
      for (const [name, owner] of this.#names) if (owner === id) this.#names.delete(name);
      return record;
    });
  }

  /** Takes a tag away from the image that has it, and stays; undefined when none has it. */
  untag(tag: string): Promise<ImageRecord | undefined> {
    return this.#serially(async () => {
      const owner = this.#names.get(tag);
      if (owner === undefined) return undefined;
      await this.#untag(tag, '');
      this.#names.delete(tag);
      return this.#images.get(owner);
    });
  }

  #named(name: string): ImageRecord | undefined {
    try {
      return this.#images.get(this.#names.get(canonical(parseReference(name))) ?? '');
    } catch (error) {
      if (error instanceof RuntimeError) return undefined; // not a reference, so nobody's name
      throw error;
    }
  }

  async #untag(tag: string, newOwner: string): Promise<void> {
    const owner = this.#names.get(tag) ?? '';
    const stored = owner === newOwner ? undefined : await this.read(owner);
    if (!stored) return;
    const rest = freeze({ ...stored, repoTags: stored.repoTags.filter((other) => other !== tag) });
    await this.#write(rest);
    this.#images.set(rest.id, inMemory(rest));
  }

  #index(record: ImageRecord): void {
    for (const tag of record.repoTags) {
      const before = this.#images.get(this.#names.get(tag) ?? '');
      if (before && before.id !== record.id)
        this.#images.set(before.id, freeze({ ...before, repoTags: before.repoTags.filter((other) => other !== tag) }));
    }
    this.#images.set(record.id, record);
    for (const name of [...record.repoTags, ...record.repoDigests]) this.#names.set(name, record.id);
  }

  #remember(stored: StoredImage): void {
    const [oldest] = this.#recent.size < RECENT ? [] : this.#recent.keys();
    if (oldest !== undefined) this.#recent.delete(oldest);
    this.#recent.set(stored.id, stored);
  }

  async #write(record: StoredImage): Promise<void> {
    this.#recent.delete(record.id);
    await writeDurably(join(this.#directory, fileOf(record.id)), JSON.stringify(record));
  }

  #serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(change, change);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const fileOf = (id: string): string => `${id.slice(id.indexOf(':') + 1)}.json`;

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])];
