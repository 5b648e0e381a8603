import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Config } from '../../base/config.js';
import { failedPrecondition } from '../../base/errors.js';
import type { ContainerAdjustment__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerAdjustment.js';
import type { ContainerUpdate__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerUpdate.js';
import { mergeLimits } from '../../oci/merge-limits.js';
import type { OciLimits, OciSpec } from '../../oci/spec.js';
import { type Container, hasEnded, hasStarted } from '../../store/container.js';
import type { ObjectStore } from '../../store/object-store.js';
import type { Sandbox } from '../../store/sandbox.js';
import type { Adjuster, Subject } from '../adjust.js';
import type { Adjusted, OwnedAdjustment } from '../adjustment.js';
import { applyAdjustment } from '../apply.js';
import type { CdiDevices } from '../cdi/cdi-devices.js';
import type { LifecycleExtension } from '../lifecycle-extension.js';
import { validateAdjusted } from './default-validator.js';
import type { EventMethod } from './events.js';
import type { Told } from './messages.js';
import { type Identity, Plugin, type PluginHost } from './plugin.js';
import { type PluginPowers, PluginUpdates } from './plugin-updates.js';
import { readAdjustment } from './read-adjustment.js';
import { readResources, shownResources } from './resources.js';
import { shownContainer, shownNew, shownPod } from './shown.js';
import { synchronize } from './synchronize.js';

export interface NriParts {
  readonly config: Pick<Config, 'nri' | 'runtime_name'>;
  readonly log: Logger;
  readonly sandboxes: ObjectStore<Sandbox>;
  readonly containers: ObjectStore<Container>;
  readonly cdi: Pick<CdiDevices, 'resolve'>;
  readonly powers: PluginPowers & {
    /** Null when there is none any more. */
    specOf(container: Container): Promise<OciSpec | null>;
  };
}

/** Who fills a node with plugins has other troubles; connections that say nothing end by themselves. */
const MOST_PLUGINS = 64;

/** The plugins of the Node Resource Interface that are here, in the order of their indices. */
export class Nri implements Adjuster, LifecycleExtension {
  #plugins: readonly Plugin[] = [];
  readonly #joining = new Set<Plugin>();
  /** Plugins know of them, the store does not yet. */
  readonly #beginning = new Map<string, Subject & { spec: OciSpec }>();
  readonly #toldPods = new Set<string>();
  readonly #host: PluginHost;
  readonly #updates: PluginUpdates;

  constructor(private readonly parts: NriParts) {
    const { config, log, powers, sandboxes, containers } = parts;
    this.#updates = new PluginUpdates(powers, log);
    this.#host = {
      runtimeName: config.runtime_name,
      registrationMs: config.nri.plugin_registration_timeout * 1000,
      requestMs: config.nri.plugin_request_timeout * 1000,
      updateContainers: (plugin, request) => this.#updates.unsolicited(plugin, request),
      lost: (plugin, cause) => this.#forget(plugin, cause),
    };
    containers.changes.add((before, after) => this.#containerChanged(before, after));
    sandboxes.changes.add((before, after) => this.#sandboxChanged(before, after));
  }

  /** Takes a connection to a plugin; `launched` says who it is when we have started it. Never throws. */
  async accept(trunk: Duplex, launched?: Identity): Promise<void> {
    const plugin = new Plugin(trunk, this.#host, launched);
    if (this.#joining.size + this.#plugins.length >= MOST_PLUGINS)
      return plugin.close(new Error(`more than ${MOST_PLUGINS} plugins`));
    this.#joining.add(plugin);
    try {
      await plugin.register();
      await this.#join(plugin);
      this.parts.log.info({ plugin: plugin.label }, 'NRI plugin takes part');
    } catch (error) {
      plugin.close(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#joining.delete(plugin);
    }
  }

  async close(): Promise<void> {
    const all = [...this.#plugins, ...this.#joining];
    await Promise.all(all.map((plugin) => plugin.shutdown()));
  }

  async adjust(spec: Readonly<OciSpec>, subject: Subject): Promise<readonly OwnedAdjustment[]> {
    const plugins = this.#plugins;
    const { enable } = this.parts.config.nri.default_validator;
    if (plugins.length === 0 && !enable) return [];
    this.#beginning.set(subject.id, { ...subject, spec });
    let adjusted: Adjusted = { spec, owners: new Map() };
    const all: OwnedAdjustment[] = [];
    const updates: Array<[Plugin, readonly ContainerUpdate__Output[]]> = [];
    const pod = shownPod(subject.sandbox);
    for (const plugin of plugins) {
      const container = shownNew(subject, adjusted.spec);
      const answer = await plugin.ask('CreateContainer', () => ({ pod, container }));
      if (!answer) continue;
      for (const owned of answer.adjust ? await this.#read(plugin, answer.adjust, adjusted.spec) : []) {
        adjusted = applyAdjustment(adjusted, owned);
        all.push(owned);
      }
      updates.push([plugin, answer.update]);
      await this.#updates.evict(plugin, answer.evict);
    }
    await this.#validate(adjusted, subject, plugins);
    for (const [plugin, wanted] of updates) await this.#updates.carryOut(plugin, wanted);
    return all;
  }

  async runPod(sandbox: Sandbox): Promise<void> {
    this.#toldPods.add(sandbox.id);
    await this.#tellAll('RunPodSandbox', () => ({ pod: shownPod(sandbox) }));
  }

  async stopPod({ id }: Sandbox): Promise<void> {
    const sandbox = this.parts.sandboxes.get(id);
    if (!sandbox || this.#plugins.length === 0) return;
    // What a plugin says to that keeps no pod alive.
    await this.#tellAll('StopPodSandbox', () => ({ pod: shownPod(sandbox) })).catch((err: unknown) =>
      this.parts.log.warn({ err, sandbox: id }, 'a plugin objects to the end of a pod'),
    );
  }

  updatePod(changed: Sandbox, overhead: OciLimits, resources: OciLimits): Promise<void> {
    return this.#tellAll('UpdatePodSandbox', () => ({
      pod: shownPod(changed),
      overheadLinuxResources: shownResources(overhead),
      linuxResources: shownResources(resources),
    }));
  }

  podUpdated(sandbox: Sandbox): void {
    this.#announce('PostUpdatePodSandbox', () => ({ pod: shownPod(sandbox) }));
  }

  abandonContainer(id: string): void {
    const begun = this.#beginning.get(id);
    if (!begun) return;
    this.#beginning.delete(id);
    const pod = shownPod(begun.sandbox);
    this.#announce('RemoveContainer', () => ({ pod, container: shownNew(begun, begun.spec) }));
  }

  startContainer(container: Container): Promise<void> {
    return this.#tellAll('StartContainer', () => this.#told(container));
  }

  async updateContainer(container: Container, change: OciLimits): Promise<OciLimits> {
    let wanted = change;
    for (const plugin of this.#plugins) {
      const answer = await plugin.ask('UpdateContainer', async () => ({
        ...(await this.#told(container)),
        linuxResources: shownResources(wanted),
      }));
      for (const update of answer?.update ?? []) {
        if (update.containerId === container.id && update.linux?.resources)
          wanted = mergeLimits(wanted, readResources(update.linux.resources, plugin.label));
        else await this.#updates.carryOut(plugin, [update]);
      }
      await this.#updates.evict(plugin, answer?.evict ?? []);
    }
    return wanted;
  }

  containerUpdated(container: Container): void {
    this.#announce('PostUpdateContainer', () => this.#told(container));
  }

  /**
   * In one go it is looked who is there and from when on it hears of the others: none is lost in between. What it is asked from then on
   * waits behind its synchronization.
   */
  #join(plugin: Plugin): Promise<void> {
    if (plugin.isClosed) throw failedPrecondition(`gone: ${plugin.label}`);
    const { sandboxes, containers } = this.parts;
    const pods = sandboxes.list().filter(({ id, stage }) => stage === 'ready' || this.#isBegun(id, stage));
    const known = containers.list().filter((container) => container.stage !== 'removing' && !hasEnded(container));
    const begun = [...this.#beginning.values()];
    this.#plugins = [...this.#plugins, plugin].sort((a, b) => (a.index < b.index ? -1 : Number(a.index > b.index)));
    return plugin.inTurn(async () => {
      const shown = await Promise.all(known.map(async (one) => shownContainer(one, await this.#specOf(one))));
      const list = [...shown, ...begun.map((one) => shownNew(one, one.spec))];
      const updates = await synchronize(plugin, pods.map(shownPod), list);
      // Its wishes are carried out behind it: a container that is gone by now is nobody's fault.
      void this.#updates.carryOut(plugin, updates).catch(() => undefined);
    });
  }

  #isBegun(id: string, stage: Sandbox['stage']): boolean {
    return stage === 'creating' && this.#toldPods.has(id);
  }

  #forget(plugin: Plugin, cause: Error): void {
    this.#plugins = this.#plugins.filter((other) => other !== plugin);
    this.parts.log.warn({ plugin: plugin.label, cause: cause.message }, 'NRI plugin gone');
  }

  async #read(plugin: Plugin, adjust: ContainerAdjustment__Output, spec: OciSpec): Promise<OwnedAdjustment[]> {
    const own = readAdjustment(adjust, plugin.label).map((adjustment) => ({ owner: plugin.label, adjustment }));
    const names = adjust.CDIDevices.map(({ name }) => name);
    return names.length === 0 ? own : [...own, await this.parts.cdi.resolve(names, spec)];
  }

  /** The node's own rules first, then the plugins that asked to judge. */
  async #validate(adjusted: Adjusted, subject: Subject, plugins: readonly Plugin[]): Promise<void> {
    const names = plugins.map(({ name }) => name);
    validateAdjusted(this.parts.config.nri.default_validator, adjusted.owners, subject, names);
    for (const plugin of plugins) {
      const request = () => ({
        pod: shownPod(subject.sandbox),
        container: shownNew(subject, adjusted.spec),
        plugins: plugins.map(({ name, index }) => ({ name, index })),
      });
      const answer = await plugin.ask('ValidateContainerAdjustment', request);
      if (answer?.reject)
        throw failedPrecondition(`rejected by ${plugin.label}: ${answer.reason || 'it gives no reason'}`);
    }
  }

  /** One after the other; the first that says no ends it. */
  async #tellAll(method: EventMethod, told: () => Promise<Told> | Told): Promise<void> {
    for (const plugin of this.#plugins) await plugin.ask(method, told);
  }

  /** Nobody waits for it; each plugin hears of things in their order. */
  #announce(method: EventMethod, told: () => Promise<Told> | Told): void {
    for (const plugin of this.#plugins)
      plugin
        .ask(method, told)
        .then((answer) =>
          this.#updates.carryOut(plugin, (answer as { update?: ContainerUpdate__Output[] })?.update ?? []),
        )
        .catch((err: unknown) =>
          this.parts.log.warn({ err, plugin: plugin.label }, 'a plugin objects to what has been'),
        );
  }

  async #told(container: Container): Promise<Told> {
    const sandbox = this.parts.sandboxes.get(container.sandboxId);
    const shown = shownContainer(container, await this.#specOf(container));
    return { ...(sandbox && { pod: shownPod(sandbox) }), container: shown };
  }

  #specOf(container: Container): Promise<OciSpec | null> {
    return this.parts.powers.specOf(container).catch(() => null);
  }

  #containerChanged(before: Container | undefined, after: Container | undefined): void {
    const container = after ?? before;
    if (!container) return;
    this.#beginning.delete(container.id);
    if (this.#plugins.length === 0) return;
    const sandbox = this.parts.sandboxes.get(container.sandboxId);
    const told = async () => ({ ...(sandbox && { pod: shownPod(sandbox) }), ...(await this.#told(container)) });
    if (before?.stage === 'creating' && after?.stage === 'live') this.#announce('PostCreateContainer', told);
    if (before && !hasStarted(before) && after && hasStarted(after)) this.#announce('PostStartContainer', told);
    if (before && !hasEnded(before) && after && hasEnded(after)) this.#announce('StopContainer', told);
    if (before && !after) this.#announce('RemoveContainer', told);
  }

  /** One that failed before plugins heard of it is none of theirs. */
  #sandboxChanged(before: Sandbox | undefined, after: Sandbox | undefined): void {
    if (!before || after) return;
    const isKnown = this.#toldPods.delete(before.id) || before.stage !== 'creating';
    if (isKnown) this.#announce('RemovePodSandbox', () => ({ pod: shownPod(before) }));
  }
}
