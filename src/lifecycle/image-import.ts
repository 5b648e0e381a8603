import { constants, createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../base/config.js';
import { RuntimeError, unavailable } from '../base/errors.js';
import { Slots } from '../base/slots.js';
import { unlessUnwritable } from '../base/unwritable.js';
import { Archive } from '../image/archive/archive.js';
import type { ArchivedImage } from '../image/archive/archived-image.js';
import { archivedImages } from '../image/archive/archived-images.js';
import type { ImageRecord } from '../image/image-record.js';
import type { ImageStore } from '../image/image-store.js';
import { canonical, repositoryName } from '../image/reference.js';
import type { LayerStore } from '../layer/layer-store.js';
import { type Unpacker, writePlain } from '../layer/unpack.js';
import { knownImage, makeImage } from './image-make.js';

interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly unpacker: Unpacker;
}

/** What became of an archive: one image that cannot be had keeps no other from being taken. */
export interface Imported {
  readonly images: readonly ImageRecord[];
  readonly failures: ReadonlyArray<{ readonly name: string; readonly error: RuntimeError }>;
}

/** Reading is disk and processor: more at once would only share them. */
const AT_ONCE = 2;

/** gzip (RFC 1952) and Zstandard (RFC 8878), by their first bytes. */
const MAGICS = [Buffer.from([0x1f, 0x8b]), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])];

const isCompressed = async (path: string): Promise<boolean> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return MAGICS.some((magic) => buffer.subarray(0, bytesRead).subarray(0, magic.length).equals(magic));
  } finally {
    await file.close();
  }
};

/** Running imports: archives become images by the way that pulled ones take from their layers on. */
export class Imports {
  readonly #running = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  readonly #slots = new Slots(AT_ONCE);

  private constructor(
    private readonly parts: Parts,
    /** Archives on their way; what a crash has left there is of no use. */
    private readonly spool: string,
  ) {}

  static async open(parts: Parts): Promise<Imports> {
    const spool = join(parts.config.root, 'import');
    await rm(spool, { recursive: true, force: true }).catch(unlessUnwritable);
    await mkdir(spool, { recursive: true, mode: 0o700 }).catch(unlessUnwritable);
    return new Imports(parts, spool);
  }

  /** A file: a plain tar is read where it lies. */
  file(path: string, what: string, pinned: boolean): Promise<Imported> {
    return this.#run(async () =>
      (await isCompressed(path))
        ? await this.#spooled(createReadStream(path), what, pinned)
        : await this.#take(path, what, pinned),
    );
  }

  /** An archive as it comes, compressed or not. */
  stream(bytes: AsyncIterable<Uint8Array>, what: string, pinned: boolean): Promise<Imported> {
    return this.#run(() => this.#spooled(bytes, what, pinned));
  }

  /** Written to disk first: the table of contents may come last. */
  async #spooled(bytes: AsyncIterable<Uint8Array>, what: string, pinned: boolean): Promise<Imported> {
    const directory = await mkdtemp(join(this.spool, 'archive-'));
    try {
      const path = join(directory, 'archive.tar');
      await this.#write(bytes, path, what);
      return await this.#take(path, what, pinned);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Ends all imports and waits until they have cleaned up. */
  async close(): Promise<void> {
    this.#stop.abort(unavailable('the daemon stops: import again'));
    await Promise.allSettled(this.#running);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#slots.run(this.#stop.signal, work);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** At most half of what is free: the layers take as much again. */
  async #write(bytes: AsyncIterable<Uint8Array>, path: string, what: string): Promise<void> {
    const { bavail, bsize } = await statfs(this.spool);
    const file = await open(path, 'wx', 0o600);
    try {
      const most = Math.floor((bavail * bsize) / 2);
      await writePlain(this.parts.unpacker, { what, input: bytes, output: file.fd }, most, this.#stop.signal);
    } finally {
      await file.close();
    }
  }

  async #take(path: string, what: string, pinned: boolean): Promise<Imported> {
    const archive = await Archive.open(path, what);
    try {
      const images: ImageRecord[] = [];
      const failures: Array<{ name: string; error: RuntimeError }> = [];
      for (const archived of await archivedImages(archive)) {
        this.#stop.signal.throwIfAborted();
        try {
          images.push(await this.#makeImage(archived, what, pinned));
        } catch (error) {
          this.#stop.signal.throwIfAborted();
          if (!(error instanceof RuntimeError)) throw error;
          failures.push({ name: archived.name, error });
        }
      }
      return { images, failures };
    } finally {
      await archive.close();
    }
  }

  async #makeImage({ name, tags, digest, find }: ArchivedImage, what: string, pinned: boolean): Promise<ImageRecord> {
    const began = performance.now();
    const found = await find({
      image: (id) => knownImage(this.parts, id),
      layer: (diffId) => this.parts.layers.get(diffId) !== undefined,
    });
    const repoDigests = digest ? tags.map((tag) => `${repositoryName(tag)}@${digest}`) : [];
    const origin = { name: `${name} in ${what}`, from: what, repoTags: tags.map(canonical), repoDigests, pinned };
    const record = await makeImage(this.parts, found, origin, this.#stop.signal);
    const ms = Math.round(performance.now() - began);
    this.parts.log.info({ image: name, id: record.id, layers: record.layers.length, archive: what, ms }, 'imported');
    return record;
  }
}
