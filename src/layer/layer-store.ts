import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { makePrivateDirectory } from '../base/durable-file.js';
import { isComplete, type Layer, readLayer } from './layer-record.js';
import { hexOf, type LayerSource, makeLayer, makeTopLayer, named, seamId } from './make-layer.js';
import { Session } from './session.js';
import { Trash } from './trash.js';
import type { RunWhole } from './run-whole.js';
import { type Limits, LIMITS, readIdentity, type Unpacker } from './unpack.js';
import { WriteBack } from './write-back.js';

export type { Layer } from './layer-record.js';
export type { LayerSource } from './make-layer.js';

export interface LayerStoreOptions {
  /** Holds layers/, trash/ and layers.json; what `discard` takes must be on the same filesystem. */
  readonly root: string;
  readonly unpacker: Unpacker;
  /** Small layers are unpacked by it. */
  readonly runWhole?: RunWhole;
  readonly log: Logger;
  readonly limits?: Limits;
  /** Identifies the running kernel. */
  readonly boot?: string;
}

const HEX = /^[0-9a-f]{64}$/;
const EMPTY = 'empty';

/**
 * Unpacked layers, each in a directory of its own named by the digest of its archive. A layer knows nothing of what lies below it, so
 * all layers of an image unpack at the same time and images share them. One that nobody holds is removed.
 */
export class LayerStore {
  readonly directory: string;
  readonly #layers = new Map<string, Layer>();
  readonly #holds = new Map<string, number>();
  /** By source and diff ID: nobody waits for the registry that another one's image names. */
  readonly #flights = new Map<string, Promise<Layer>>();
  /** Layers whose directory is on its way out or in. */
  readonly #moving = new Map<string, Promise<void>>();
  readonly #writeBack: WriteBack;

  private constructor(
    private readonly options: LayerStoreOptions,
    readonly trash: Trash,
    private readonly session: Session,
  ) {
    this.directory = join(options.root, 'layers');
    this.#writeBack = new WriteBack(options.unpacker, this.directory, options.log);
  }

  /** Takes over what is whole and throws away what a crash left half-done. Nothing is held yet: retain, then `sweep`. */
  static async open(options: LayerStoreOptions): Promise<LayerStore> {
    const trash = await Trash.open(join(options.root, 'trash'), options.unpacker, options.log);
    const boot = options.boot ?? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const store = new LayerStore(options, trash, await Session.open(join(options.root, 'layers.json'), boot));
    await makePrivateDirectory(store.directory);
    await store.#load();
    for (const name of ['fs', 'below'])
      await mkdir(join(store.directory, EMPTY, name), { recursive: true, mode: 0o755 });
    return store;
  }

  async #load(): Promise<void> {
    let highest = 0;
    for (const name of await readdir(this.directory)) {
      if (name === EMPTY) continue;
      const directory = join(this.directory, name);
      const layer = HEX.test(name) ? await readLayer(directory, `sha256:${name}`) : undefined;
      const lost = layer && this.session.doubts(layer.session) && !(await isComplete(directory, layer));
      if (lost)
        this.options.log.warn(
          { layer: layer.diffId },
          'files are missing or short after an unclean stop; it must be pulled again',
        );
      if (layer && !lost) this.#layers.set(layer.diffId, layer);
      else await this.trash.take(directory);
      highest = Math.max(highest, layer?.session ?? 0);
    }
    await this.#mark(() => this.session.begin(highest));
  }

  /** The orderly stop: no layer is being unpacked any more. */
  async close(): Promise<void> {
    await this.trash.close();
    // Without the mark, what is not on disk is verified after a power loss.
    if (await this.#writeBack.settle()) await this.#mark(() => this.session.end());
  }

  /** A full disk must not keep the daemon from starting: without its mark the next start verifies more than it needs to. */
  async #mark(write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      this.options.log.warn({ err: error }, 'cannot mark the session; the next start verifies its layers');
    });
  }

  get(diffId: string): Layer | undefined {
    return this.#layers.get(diffId);
  }

  /** The directory to mount. */
  path(diffId: string): string {
    return join(this.directory, hexOf(diffId), 'fs');
  }

  /**
   * Lower directories for overlayfs, topmost first, of layers named from the bottom up. overlayfs refuses a directory that comes twice;
   * the topmost hides all below it. It also wants at least one: an image without layers has an empty root.
   */
  lowerDirs(diffIds: readonly string[]): string[] {
    return diffIds.length === 0
      ? [join(this.directory, EMPTY, 'fs')]
      : topmostFirst(diffIds).map((id) => this.path(id));
  }

  /** The same for an overlay without a writable layer, which overlayfs makes of two directories at least. */
  readonlyDirs(diffIds: readonly string[]): string[] {
    const directories = this.lowerDirs(diffIds);
    return directories.length > 1 ? directories : [...directories, join(this.directory, EMPTY, 'below')];
  }

  /** Makes the layer present and holds it once for the caller. Callers that want it from one source share the work, not its failure. */
  async acquire(source: LayerSource, signal: AbortSignal): Promise<Layer> {
    for (;;) {
      signal.throwIfAborted();
      const present = this.#layers.get(source.diffId);
      if (present) {
        this.retain([source.diffId]);
        return present;
      }
      const running = this.#flights.get(flightOf(source));
      if (!running) return await this.#fly(source, signal);
      await settled(running, signal);
    }
  }

  /**
   * The layer for the top of these, named from the bottom up, held once for the caller: what only a stack of layers has. Undefined when
   * there is nothing of that.
   */
  async acquireSeam(
    diffIds: readonly string[],
    volumes: readonly string[],
    signal: AbortSignal,
  ): Promise<Layer | undefined> {
    if (volumes.length === 0 && !diffIds.some((id) => this.#layers.get(id)?.marks)) return undefined;
    const names = diffIds.length === 0 ? [EMPTY] : topmostFirst(diffIds).map(hexOf);
    const id = seamId(names, volumes);
    const present = this.#layers.get(id);
    if (present) {
      this.retain([id]);
      return present;
    }
    return await this.#inNewDirectory('directories of the image', async (directory) => {
      const stack = { names, volumes };
      const made = await makeTopLayer(this.options.unpacker, directory, id, stack, this.session.number, signal);
      if (made) return await this.#place(directory, made);
      await this.trash.take(directory);
      return undefined;
    });
  }

  retain(diffIds: readonly string[]): void {
    for (const id of diffIds) this.#holds.set(id, (this.#holds.get(id) ?? 0) + 1);
  }

  /** Gives holds back; layers without any go to the trash. */
  async release(diffIds: readonly string[]): Promise<void> {
    const unheld: string[] = [];
    for (const id of diffIds) {
      const left = (this.#holds.get(id) ?? 0) - 1;
      if (left > 0) this.#holds.set(id, left);
      else if (this.#holds.delete(id)) unheld.push(id);
    }
    for (const id of unheld) if (!this.#holds.has(id)) await this.#drop(id);
  }

  /** Removes what nobody holds: for the start, after everybody has retained. */
  async sweep(): Promise<void> {
    for (const id of [...this.#layers.keys()]) if (!this.#holds.has(id)) await this.#drop(id);
  }

  /** Removes any directory below the root, for example a container's writable layer; on a disk that cannot be written to it stays, unknown. */
  async discard(directory: string): Promise<void> {
    await this.trash.take(directory);
  }

  usage(): { bytes: number; inodes: number } {
    let [bytes, inodes] = [0, 0];
    for (const layer of this.#layers.values()) {
      bytes += layer.size;
      inodes += layer.entries;
    }
    return { bytes, inodes };
  }

  /** Texts of the users and groups that an image of these layers, named from the bottom up, knows. */
  identity(diffIds: readonly string[], signal: AbortSignal): Promise<{ passwd: string; group: string }> {
    return readIdentity(this.options.unpacker, this.lowerDirs(diffIds), signal);
  }

  async #fly(source: LayerSource, signal: AbortSignal): Promise<Layer> {
    const flight = source.slots.run(signal, () => this.#unpack(source, signal));
    this.#flights.set(flightOf(source), flight);
    try {
      return await flight;
    } finally {
      this.#flights.delete(flightOf(source));
    }
  }

  #unpack(source: LayerSource, signal: AbortSignal): Promise<Layer> {
    const { limits = LIMITS } = this.options;
    return this.#inNewDirectory(source.what, async (directory) =>
      this.#place(directory, await makeLayer(this.options, directory, source, this.session.number, limits, signal)),
    );
  }

  /** What fails leaves nothing. */
  async #inNewDirectory<T>(what: string, make: (directory: string) => Promise<T>): Promise<T> {
    const directory = join(this.directory, `tmp-${randomBytes(16).toString('hex')}`);
    try {
      await mkdir(directory, { mode: 0o700 });
      await mkdir(join(directory, 'fs'), { mode: 0o755 });
      return await make(directory);
    } catch (error) {
      await this.trash.take(directory);
      throw named(error, what);
    }
  }

  /** Of several copies of a layer, from different sources, the first stays. */
  async #place(temporary: string, layer: Layer): Promise<Layer> {
    const { diffId } = layer;
    for (let moving; (moving = this.#moving.get(diffId)); ) await moving.catch(() => undefined);
    const present = this.#layers.get(diffId);
    if (present) {
      this.retain([diffId]);
      await this.trash.take(temporary);
      return present;
    }
    await this.#move(diffId, async () => {
      await rename(temporary, join(this.directory, hexOf(diffId)));
      this.#layers.set(diffId, layer);
      // At once: a caller that is aborted now must not leave behind what nobody holds.
      this.retain([diffId]);
    });
    this.#writeBack.request();
    return layer;
  }

  async #drop(diffId: string): Promise<void> {
    const layer = this.#layers.get(diffId);
    if (!layer) return;
    this.#layers.delete(diffId);
    await this.#move(diffId, async () => {
      if (!(await this.trash.take(join(this.directory, hexOf(diffId))))) this.#layers.set(diffId, layer);
    });
  }

  async #move(diffId: string, how: () => Promise<void>): Promise<void> {
    const moving = how();
    this.#moving.set(diffId, moving);
    try {
      await moving;
    } finally {
      this.#moving.delete(diffId);
    }
  }
}

const topmostFirst = (diffIds: readonly string[]): string[] => [...new Set(diffIds.toReversed())];

const flightOf = ({ from, diffId }: LayerSource): string => `${diffId} ${from}`;

/** Waits for another's work to end, well or badly. */
const settled = async (running: Promise<unknown>, signal: AbortSignal): Promise<void> => {
  let done = () => undefined as void;
  const aborted = new Promise<void>((resolve) => {
    done = resolve;
    signal.addEventListener('abort', done, { once: true });
  });
  await Promise.race([running.then(done, done), aborted]);
  signal.removeEventListener('abort', done);
};
