import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Bus, DBusClosedError, DBusReplyError } from './bus.js';
import type { Variant } from './marshal.js';
import type { Message } from './message.js';

/** A property of a unit, as StartTransientUnit and SetUnitProperties take it. */
export type UnitProperty = readonly [name: string, value: Variant];

/** systemd's own socket first: no broker in between, so a restart of D-Bus is nothing to us. Then the system bus. */
const ADDRESSES = ['/run/systemd/private', '/run/dbus/system_bus_socket'];

const DESTINATION = 'org.freedesktop.systemd1';
const MANAGER = { destination: DESTINATION, path: '/org/freedesktop/systemd1' };
const CALL_MS = 30_000;
/** From a job's beginning to its end; systemd answers nobody during a daemon-reload. */
const JOB_MS = 60_000;
const LOST = 'lost';
const STATE_MS = 50;
const RECONNECT_MS = 1_000;

/** True when systemd is this host's service manager (sd_booted(3)). */
export const isSystemdHost = (): boolean => existsSync('/run/systemd/system');

export class SystemdError extends Error {
  override readonly name = 'SystemdError';
}

/** systemd's manager, spoken to over one connection that is made again when it breaks. */
export class Systemd {
  #bus: Promise<Bus> | undefined;
  /** Those who wait for the end of a unit's job. */
  readonly #jobs = new Map<string, Set<(result: string) => void>>();
  #onReloaded: (() => void) | undefined;

  constructor(private readonly addresses: readonly string[] = ADDRESSES) {}

  /** A property of the manager, e.g. Version or ControlGroup. */
  async property(name: string): Promise<unknown> {
    const call = { ...MANAGER, interface: 'org.freedesktop.DBus.Properties', member: 'Get' };
    const [value] = await this.#call({ ...call, signature: 'ss', body: [`${DESTINATION}.Manager`, name] });
    return (value as Variant).value;
  }

  /** Makes a transient unit and waits until systemd has started it. */
  async start(unit: string, properties: readonly UnitProperty[]): Promise<void> {
    const begin = async () => {
      await this.#manager('StartTransientUnit', 'ssa(sv)a(sa(sv))', [unit, 'fail', properties, []]);
    };
    await this.#job(unit, 'active', async () => {
      try {
        await begin();
      } catch (error) {
        // The connection broke, and what became of the first attempt is not known: then it is there.
        if (!(error instanceof DBusClosedError)) throw error;
        await begin().catch(ignore('UnitExists'));
      }
    });
  }

  /** Changes properties of a unit until it ends (`systemctl set-property --runtime`). */
  async setProperties(unit: string, properties: readonly UnitProperty[]): Promise<void> {
    await this.#again(() => this.#manager('SetUnitProperties', 'sba(sv)', [unit, true, properties]));
  }

  /** Ends a unit and forgets how it ended; one that is not there is no error. */
  async stop(unit: string): Promise<void> {
    await this.#job(unit, 'inactive', () =>
      this.#again(() => this.#manager('StopUnit', 'ss', [unit, 'replace'])),
    ).catch(ignore('NoSuchUnit'));
    await this.#again(() => this.#manager('ResetFailedUnit', 's', [unit])).catch(ignore('NoSuchUnit'));
  }

  /** Calls `reloaded` whenever systemd may have written units' files anew (daemon-reload, daemon-reexec); stays connected for it. */
  watchReloads(reloaded: () => void): void {
    this.#onReloaded = reloaded;
  }

  close(): void {
    this.#onReloaded = undefined;
    this.#bus?.then((bus) => bus.close()).catch(() => undefined);
    this.#bus = undefined;
  }

  #manager(member: string, signature: string, body: readonly unknown[]): Promise<readonly unknown[]> {
    return this.#call({ ...MANAGER, interface: `${DESTINATION}.Manager`, member, signature, body });
  }

  /** Runs what queues a job for this unit, and waits for the job's end. Listening begins first: the end may come with the reply. */
  async #job(unit: string, goal: string, queue: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let stopListening = () => undefined as void;
    const ended = new Promise<string>((resolve, reject) => {
      stopListening = this.#listen(unit, resolve);
      timer = setTimeout(
        () => reject(new SystemdError(`no end of the job within ${JOB_MS / 1000} s: systemd unit ${unit}`)),
        JOB_MS,
      );
    });
    ended.catch(() => undefined);
    try {
      await queue();
      let result = await ended;
      if (result === LOST) result = await this.#settledState(unit, goal);
      if (result !== 'done') throw new SystemdError(`job ${result}: systemd unit ${unit}; see journalctl -u ${unit}`);
    } finally {
      clearTimeout(timer);
      stopListening();
    }
  }

  /** Two may stop one unit at once: systemd makes one job of both. */
  #listen(unit: string, end: (result: string) => void): () => void {
    const listeners = this.#jobs.get(unit) ?? new Set();
    this.#jobs.set(unit, listeners.add(end));
    return () => {
      if (listeners.delete(end) && listeners.size === 0) this.#jobs.delete(unit);
    };
  }

  #tell(unit: string, result: string): void {
    for (const end of this.#jobs.get(unit) ?? []) end(result);
  }

  /** How a job ended whose end nobody heard of: by what became of the unit. */
  async #settledState(unit: string, goal: string): Promise<string> {
    for (const deadline = Date.now() + JOB_MS; Date.now() < deadline; await pause(STATE_MS)) {
      const state = await this.#activeState(unit);
      if (state === goal) return 'done';
      if (state === 'failed' || state === 'inactive') return state;
    }
    return 'timeout';
  }

  async #activeState(unit: string): Promise<unknown> {
    try {
      const [path] = await this.#again(() => this.#manager('GetUnit', 's', [unit]));
      const call = { destination: DESTINATION, path: String(path), interface: 'org.freedesktop.DBus.Properties' };
      const body = [`${DESTINATION}.Unit`, 'ActiveState'];
      const [value] = await this.#call({ ...call, member: 'Get', signature: 'ss', body });
      return (value as Variant).value;
    } catch (error) {
      ignore('NoSuchUnit')(error);
      return 'inactive';
    }
  }

  /** Once more after a broken connection, for what may be done twice. */
  async #again<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DBusClosedError)) throw error;
      return await attempt();
    }
  }

  async #call(call: Omit<Parameters<Bus['call']>[0], 'deadlineMs'>): Promise<readonly unknown[]> {
    const bus = await this.#connected();
    return await bus.call({ ...call, deadlineMs: CALL_MS });
  }

  async #connected(): Promise<Bus> {
    const known = this.#bus;
    const bus = await known?.catch(() => undefined);
    if (bus?.isOpen) return bus;
    // Whoever comes first connects for all.
    if (this.#bus === known) this.#bus = this.#connect();
    return await (this.#bus ?? this.#connected());
  }

  async #connect(): Promise<Bus> {
    const failures: string[] = [];
    for (const address of this.addresses) {
      try {
        return await this.#open(address);
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    throw new SystemdError(`cannot reach systemd: ${failures.join('; ')}`);
  }

  async #open(address: string): Promise<Bus> {
    const bus = await Bus.connect(address, {
      onSignal: (signal) => this.#onSignal(signal),
      onClose: () => {
        for (const unit of this.#jobs.keys()) this.#tell(unit, LOST);
        if (this.#onReloaded) void this.#settled();
      },
    });
    try {
      if (!address.endsWith('/private')) {
        const broker = {
          destination: 'org.freedesktop.DBus',
          path: '/org/freedesktop/DBus',
          interface: 'org.freedesktop.DBus',
          deadlineMs: CALL_MS,
        };
        await bus.call({ ...broker, member: 'Hello' });
        const match = `type='signal',sender='${DESTINATION}',interface='${DESTINATION}.Manager'`;
        await bus.call({ ...broker, member: 'AddMatch', signature: 's', body: [match] });
      }
      await bus.call({ ...MANAGER, interface: `${DESTINATION}.Manager`, member: 'Subscribe', deadlineMs: CALL_MS });
      return bus;
    } catch (error) {
      bus.close();
      throw error;
    }
  }

  /** JobRemoved(u id, o job, s unit, s result); Reloading(b begins). */
  #onSignal({ member, body }: Message): void {
    if (member === 'JobRemoved') this.#tell(String(body[2]), String(body[3]));
    if (member === 'Reloading' && body[0] === false) void this.#settled();
  }

  /** systemd answers a call only after it has written the files of all units that were waiting for it. */
  async #settled(): Promise<void> {
    while (this.#onReloaded) {
      try {
        await this.property('Version');
        this.#onReloaded?.();
        return;
      } catch {
        await pause(RECONNECT_MS, undefined, { ref: false });
      }
    }
  }
}

const ignore = (name: string) => (error: unknown) => {
  if (!(error instanceof DBusReplyError) || error.errorName !== `${DESTINATION}.${name}`) throw error;
};
