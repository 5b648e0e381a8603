import { failedPrecondition, internal, RuntimeError, unavailable } from '../base/errors.js';
import { type Attachment, IFNAME } from './attachment.js';
import { AttachmentCache } from './attachment-cache.js';
import { addChain, checkChain, delChain, gcChain, statusChain } from './chain.js';
import { type ConfigError, type NetworkConfig, versionAtLeast } from './config.js';
import type { Loaded } from './config-files.js';
import { type PluginHost, type RunCommand, UnsettledError } from './invoke.js';
import { isNamespace } from './namespace.js';
import { Orphans } from './orphans.js';
import { findPlugin } from './plugin.js';
import { type NetworkResult, shownResult, summarize } from './result.js';
import { ConfigDirectory } from './watch.js';

export interface NetworkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface NetworkOptions {
  readonly confDir: string;
  readonly binDirs: readonly string[];
  readonly cacheDir: string;
  readonly run: RunCommand;
  readonly log: NetworkLog;
  /** For each plugin of a chain; the kubelet gives RunPodSandbox four minutes in all. */
  readonly timeoutMs?: number;
  readonly trustedUid?: number;
}

/** As the CRI condition NetworkReady wants it: reason and message are empty when ready. */
export interface NetworkStatus {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
}

/**
 * Pods on the network that CNI plugins make. Calls for one sandbox queue behind each other, those for different
 * sandboxes do not wait.
 *
 *   (nothing) ──add: record written──▶ adding ──ADD succeeded──▶ added
 *       ▲                                 └──────── DEL ──────────┘
 *       └──────────── record deleted ────────────────┘
 */
export class Network {
  readonly #host: PluginHost;
  readonly #log: NetworkLog;
  readonly #config: ConfigDirectory;
  readonly #cache: AttachmentCache;
  readonly #orphans: Orphans;
  readonly #queue = new Map<string, Promise<unknown>>();
  #probe: { config: NetworkConfig; error: string; running: boolean } | undefined;

  private constructor(options: NetworkOptions) {
    const { binDirs, run, timeoutMs = 90_000, trustedUid = 0 } = options;
    this.#host = { binDirs, run, timeoutMs, trustedUid };
    this.#log = options.log;
    this.#cache = AttachmentCache.open(options.cacheDir);
    this.#orphans = new Orphans(this.#cache.list().length > 0);
    this.#config = new ConfigDirectory(options.confDir, (now, before) => this.#changed(now, before));
    this.confDir = options.confDir;
  }

  readonly confDir: string;

  static open(options: NetworkOptions): Network {
    return new Network(options);
  }

  /** Answered at once: a plugin's own STATUS (CNI 1.1) is asked in the background and counts from the next call on. */
  status(): NetworkStatus {
    const { config, errors } = this.#config.current();
    if (!config) return notReady(noConfiguration(this.confDir, errors));
    const missing = this.#missingPlugin(config);
    if (missing) return notReady(missing);
    this.#askPlugins(config);
    return this.#probe?.error ? notReady(this.#probe.error) : { ready: true, reason: '', message: '' };
  }

  /** Repeating it for a sandbox that is already attached gives the result again. */
  add(attachment: Attachment): Promise<NetworkResult> {
    return this.#enqueue(attachment.sandboxId, async () => {
      const known = this.result(attachment.sandboxId);
      if (known) return known;
      const { config, errors } = this.#config.current();
      if (!config) throw unavailable(`network is not ready: ${noConfiguration(this.confDir, errors)}`);
      const missing = this.#missingPlugin(config);
      if (missing) throw failedPrecondition(missing);
      if (!isNamespace(attachment.netnsPath))
        throw failedPrecondition(`not a network namespace: ${attachment.netnsPath}`);
      // Left over from an ADD that a crash cut short: its addresses go before new ones are taken.
      await this.#detach(attachment.sandboxId);
      return this.#attach(config, attachment);
    });
  }

  /** Succeeds when there is nothing to remove; rejects, and keeps its record for another try, while a plugin fails. */
  remove(target: Attachment | string): Promise<void> {
    const sandboxId = typeof target === 'string' ? target : target.sandboxId;
    return this.#enqueue(sandboxId, () => this.#detach(sandboxId));
  }

  result(sandboxId: string): NetworkResult | undefined {
    const record = this.#cache.get(sandboxId);
    if (record?.state !== 'added' || !record.result) return undefined;
    const summary = summarize(record.result);
    return 'error' in summary ? undefined : summary;
  }

  /** What the plugins answered, for people; undefined while nothing is attached. */
  shown(sandboxId: string): object | undefined {
    const record = this.#cache.get(sandboxId);
    return record?.state === 'added' && record.result ? shownResult(record.result) : undefined;
  }

  /** Asks the plugins whether the attachment still is as they made it (CHECK). */
  async check(sandboxId: string): Promise<void> {
    const record = this.#cache.get(sandboxId);
    if (record?.state !== 'added' || !record.config || !record.result)
      throw failedPrecondition(`not attached: sandbox ${sandboxId}`);
    await checkChain(this.#host, record.config, record.attachment, record.result);
  }

  /**
   * Everything that has an ADD on record; after a crash or reboot, what belongs to no living sandbox is to be removed.
   */
  leftovers(): Attachment[] {
    return this.#cache.list().map((record) => record.attachment);
  }

  /**
   * Removes every attachment but the valid ones, then lets CNI 1.1 plugins drop what they hold beyond those. GC covers
   * all users of a network's name, so only a runtime that has the network for itself may call it. Failures are logged:
   * the next call tries again.
   */
  async gc(valid: Iterable<string>): Promise<void> {
    const keep = new Set(valid);
    const stale = this.leftovers().filter(({ sandboxId }) => !keep.has(sandboxId));
    await Promise.all(
      stale.map((attachment) =>
        this.remove(attachment).catch((error) => this.#failed('CNI DEL of a leftover failed', error)),
      ),
    );
    const { config } = this.#config.current();
    if (!config) return;
    const attachments = [...keep].map((containerID) => ({ containerID, ifname: IFNAME }));
    await gcChain(this.#host, config, attachments).catch((error) => this.#failed('CNI GC failed', error));
  }

  close(): void {
    this.#config.close();
  }

  async #attach(config: NetworkConfig, attachment: Attachment): Promise<NetworkResult> {
    const record = { version: 1, state: 'adding', attachment, config } as const;
    this.#cache.put(record);
    // Beside the plugins, not before them: only the intent has to outlive a power loss, for a DEL needs no result then.
    const durable = this.#cache
      .sync(attachment.sandboxId)
      .catch((error) => this.#failed('CNI record is not durable', error));
    let completed = 0;
    try {
      const add = addChain(this.#host, config, attachment, (partial) => {
        this.#cache.put({ ...record, result: partial });
        completed += 1;
      });
      const result = await this.#watched(attachment.sandboxId, add);
      await durable;
      const summary = summarize(result);
      if ('error' in summary) throw internal(`unusable CNI result: ${summary.error} (network "${config.name}")`);
      this.#cache.put({ ...record, state: 'added', result });
      return summary;
    } catch (error) {
      // A plugin that nobody saw end did not refuse: what it had done by then is there.
      const answered = error instanceof RuntimeError && !(error instanceof UnsettledError);
      await this.#detach(attachment.sandboxId, answered ? completed : undefined).catch((undo) =>
        this.#failed('CNI DEL after a failed ADD failed; it is tried again at removal', undo),
      );
      throw error;
    }
  }

  async #detach(sandboxId: string, refused?: number): Promise<void> {
    const record = this.#cache.get(sandboxId);
    if (!record) return;
    const config = record.config ?? this.#config.current().config;
    if (!config)
      throw unavailable(`no CNI configuration to remove sandbox ${sandboxId} with: put one into ${this.confDir}`);
    await this.#orphans.end(sandboxId);
    const netns = isNamespace(record.attachment.netnsPath) ? record.attachment.netnsPath : '';
    const del = delChain(this.#host, config, record.attachment, netns, record.result, refused);
    await this.#watched(sandboxId, del);
    this.#cache.delete(sandboxId);
  }

  /** What nobody saw end is ended before the next DEL. */
  async #watched<T>(sandboxId: string, chain: Promise<T>): Promise<T> {
    try {
      return await chain;
    } catch (error) {
      if (error instanceof UnsettledError) this.#orphans.unsettled(sandboxId);
      throw error;
    }
  }

  #enqueue<T>(sandboxId: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#queue.get(sandboxId) ?? Promise.resolve()).then(work, work);
    this.#queue.set(sandboxId, turn);
    const settled = () => {
      if (this.#queue.get(sandboxId) === turn) this.#queue.delete(sandboxId);
    };
    turn.then(settled, settled);
    return turn;
  }

  #missingPlugin(config: NetworkConfig): string | undefined {
    for (const { type } of config.plugins) {
      const found = findPlugin(type, this.#host.binDirs, this.#host.trustedUid);
      if ('error' in found) return `${found.error} (network "${config.name}" of ${config.file})`;
    }
    return undefined;
  }

  #askPlugins(config: NetworkConfig): void {
    if (this.#probe?.config !== config) this.#probe = { config, error: '', running: false };
    const probe = this.#probe;
    if (probe.running || !versionAtLeast(config.cniVersion, '1.1.0')) return;
    probe.running = true;
    void statusChain(this.#host, config)
      .then(
        () => '',
        (error: Error) => error.message,
      )
      .then((error) => Object.assign(probe, { error, running: false }));
  }

  #changed({ config, errors }: Loaded, before: Loaded): void {
    for (const { file, message } of errors) this.#log.warn({ file }, `CNI configuration ignored: ${message}`);
    if (!config) this.#log.warn({ directory: this.confDir }, 'no CNI configuration');
    else if (config !== before.config)
      this.#log.info(
        { file: config.file, network: config.name, version: config.cniVersion },
        'CNI configuration loaded',
      );
  }

  #failed(what: string, error: unknown): void {
    this.#log.warn({ err: error }, what);
  }
}

const notReady = (message: string): NetworkStatus => ({ ready: false, reason: 'NetworkPluginNotReady', message });

const noConfiguration = (directory: string, errors: readonly ConfigError[]): string =>
  errors.length === 0
    ? `no CNI configuration: put a .conflist file into ${directory}`
    : `no valid CNI configuration: ${errors.map(({ file, message }) => `${file}: ${message}`).join('; ')}`;
