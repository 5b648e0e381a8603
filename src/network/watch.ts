import { type FSWatcher, watch } from 'node:fs';
import { type Loaded, loadConfig, stampOf } from './config-files.js';

/**
 * The network configuration as the directory has it now. Every look compares the files' stamps first, so that what is
 * returned is never older than the call; the inotify watch only makes changes known (and logged) before anyone asks,
 * and may fail or be absent.
 */
export class ConfigDirectory {
  #stamp = '';
  #loaded: Loaded = { config: undefined, errors: [] };
  #watcher: FSWatcher | undefined;
  #rescan: NodeJS.Immediate | undefined;

  constructor(
    private readonly directory: string,
    private readonly changed: (now: Loaded, before: Loaded) => void,
  ) {
    this.current();
  }

  current(): Loaded {
    this.#watch();
    const stamp = stampOf(this.directory);
    if (stamp !== this.#stamp) {
      const before = this.#loaded;
      this.#loaded = loadConfig(this.directory, before.config);
      this.#stamp = stamp;
      this.changed(this.#loaded, before);
    }
    return this.#loaded;
  }

  close(): void {
    this.#watcher?.close();
    if (this.#rescan) clearImmediate(this.#rescan);
  }

  /** A directory that is missing, or was replaced, is watched as soon as a later look finds it. */
  #watch(): void {
    if (this.#watcher) return;
    try {
      const watcher = watch(this.directory, { persistent: false }, (event) => this.#event(event));
      watcher.on('error', () => this.#unwatch());
      this.#watcher = watcher;
    } catch {
      this.#watcher = undefined;
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** One write makes several events; they are answered with one look, after the loop has delivered them all. */
  #event(event: string): void {
    if (event === 'rename') this.#unwatch();
    this.#rescan ??= setImmediate(() => {
      this.#rescan = undefined;
      this.current();
    });
  }
}
