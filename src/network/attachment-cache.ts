import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessUnwritable } from '../base/unwritable.js';
import { type Attachment, isContainerId } from './attachment.js';
import type { NetworkConfig } from './config.js';
import type { RawResult } from './result.js';

/** An ADD that was begun. DEL is given the configuration of its ADD, whatever the directory holds by then. */
export interface AttachmentRecord {
  readonly version: 1;
  readonly state: 'adding' | 'added';
  readonly attachment: Attachment;
  /** Absent only in a record that was found damaged. */
  readonly config?: NetworkConfig | undefined;
  /** The last result that a plugin gave; the final one when `added`. */
  readonly result?: RawResult | undefined;
}

const SUFFIX = '.json';

/**
 * One file per attachment, there from before ADD until DEL has succeeded, so that a DEL is neither forgotten nor done
 * twice after a crash. Writes are visible at once to a restarted daemon; after `sync` a power loss does not undo them
 * either.
 */
export class AttachmentCache {
  readonly #records = new Map<string, AttachmentRecord>();

  private constructor(private readonly directory: string) {}

  static open(directory: string): AttachmentCache {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const cache = new AttachmentCache(directory);
    for (const name of readdirSync(directory)) cache.#load(name);
    return cache;
  }

  get(sandboxId: string): AttachmentRecord | undefined {
    return this.#records.get(sandboxId);
  }

  list(): AttachmentRecord[] {
    return [...this.#records.values()];
  }

  put(record: AttachmentRecord): void {
    const path = this.#path(record.attachment.sandboxId);
    const temporary = `${path}.new`;
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
    renameSync(temporary, path);
    this.#records.set(record.attachment.sandboxId, record);
  }

  async sync(sandboxId: string): Promise<void> {
    for (const name of [this.#path(sandboxId), this.directory]) {
      const file = await open(name, 'r').catch(absent);
      if (!file) continue;
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
  }

  delete(sandboxId: string): void {
    remove(this.#path(sandboxId));
    this.#records.delete(sandboxId);
  }

  #path(sandboxId: string): string {
    return join(this.directory, `${sandboxId}${SUFFIX}`);
  }

  #load(name: string): void {
    const path = join(this.directory, name);
    const sandboxId = name.slice(0, -SUFFIX.length);
    if (!name.endsWith(SUFFIX) || !isContainerId(sandboxId)) {
      remove(path);
      return;
    }
    this.#records.set(sandboxId, parseRecord(sandboxId, readFileSync(path, 'utf8')));
  }
}

/** A DEL that has succeeded is not undone by a disk that cannot be written to: the next start does it again, which harms nobody (CNI spec, DEL). */
const remove = (path: string): void => {
  try {
    rmSync(path, { force: true, recursive: true });
  } catch (error) {
    unlessUnwritable(error);
  }
};

/**
 * A power loss can leave an empty file behind: the name alone still tells which container ID the plugins must let go.
 */
const parseRecord = (sandboxId: string, text: string): AttachmentRecord => {
  try {
    const record = JSON.parse(text) as AttachmentRecord;
    if (record.version === 1 && record.attachment.sandboxId === sandboxId) return record;
  } catch {
    // falls through: damaged
  }
  return { version: 1, state: 'adding', attachment: unknownPod(sandboxId) };
};

const unknownPod = (sandboxId: string): Attachment => ({
  sandboxId,
  netnsPath: '',
  podName: '',
  podNamespace: '',
  podUid: '',
  portMappings: [],
  bandwidth: null,
  annotations: {},
  cgroupParent: '',
  dns: null,
});

const absent = (error: NodeJS.ErrnoException): undefined => {
  // Removed again meanwhile: there is nothing left to make durable.
  if (error.code !== 'ENOENT') throw error;
};
