import type { Duplex } from 'node:stream';
import { status } from '@grpc/grpc-js';
import { failedPrecondition, invalidArgument, unimplemented } from '../../base/errors.js';
import { within } from '../../base/within.js';
import type { RegisterPluginRequest__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/RegisterPluginRequest.js';
import { VERSION } from '../../version.js';
import { asStateChange, type EventMethod, isSubscribed, subscription } from './events.js';
import { decode, encode, methodCodec, PLUGIN, type PluginMethods, RUNTIME, type Told } from './messages.js';
import { Mux, PLUGIN_SERVICE, RUNTIME_SERVICE } from './mux.js';
import type { PluginUpdates } from './plugin-updates.js';
import { TtrpcClient, TtrpcError, TtrpcLost } from './ttrpc-client.js';
import { TtrpcServer } from './ttrpc-server.js';
import { Oversized } from './ttrpc-wire.js';

/** The protocol's version that we speak. */
const NRI_VERSION = 'v0.12.0';

export interface Identity {
  readonly name: string;
  readonly index: string;
  readonly config: string;
}

export interface PluginHost {
  readonly runtimeName: string;
  readonly registrationMs: number;
  readonly requestMs: number;
  updateContainers(
    plugin: Plugin,
    request: Parameters<PluginUpdates['unsolicited']>[1],
  ): ReturnType<PluginUpdates['unsolicited']>;
  /** Once, with the reason. */
  lost(plugin: Plugin, cause: Error): void;
}

/** One plugin at the other end of a connection. It is asked one thing at a time: most plugins count on it. */
export class Plugin {
  readonly #mux: Mux;
  readonly #client: TtrpcClient;
  readonly #registered: Promise<void>;
  #register: { resolve: () => void; reject: (cause: Error) => void } = {
    resolve: () => undefined,
    reject: () => undefined,
  };
  #identity: Identity | undefined;
  #events = 0;
  #last: Promise<unknown> = Promise.resolve();
  #closed: Error | undefined;

  constructor(
    trunk: Duplex,
    private readonly host: PluginHost,
    /** Of one that we have started; the others say themselves who they are. */
    private readonly launched?: Identity,
  ) {
    this.#registered = new Promise((resolve, reject) => (this.#register = { resolve, reject }));
    this.#registered.catch(() => undefined);
    this.#mux = new Mux(trunk, (cause) => this.#lost(cause));
    this.#client = new TtrpcClient(this.#mux.open(PLUGIN_SERVICE, (bytes) => this.#client.receive(bytes)));
    const server: TtrpcServer = new TtrpcServer(
      this.#mux.open(RUNTIME_SERVICE, (bytes) => server.receive(bytes)),
      (service, method, payload) => this.#serve(service, method, payload),
    );
  }

  /** As people know it. */
  get label(): string {
    const { index = '??', name = 'unregistered' } = this.#identity ?? this.launched ?? {};
    return `NRI plugin ${index}-${name}`;
  }

  get name(): string {
    return this.#identity?.name ?? '';
  }

  get index(): string {
    return this.#identity?.index ?? '';
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Waits until it has said who it is, and learns what it wants to hear of. */
  async register(): Promise<void> {
    const { runtimeName, registrationMs, requestMs } = this.host;
    await within(registrationMs, this.#registered);
    const { events } = await this.#call('Configure', {
      config: this.launched?.config ?? '',
      runtimeName,
      runtimeVersion: VERSION,
      registrationTimeout: registrationMs,
      requestTimeout: requestMs,
      NRIVersion: NRI_VERSION,
    });
    const wanted = subscription(events);
    if (wanted === undefined)
      throw failedPrecondition(
        `unknown events: ${this.label} asks for 0x${events.toString(16)}; this node speaks NRI ${NRI_VERSION}`,
      );
    this.#events = wanted;
  }

  wants(method: EventMethod): boolean {
    return !this.isClosed && isSubscribed(this.#events, method);
  }

  /** Behind all that was asked before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Asks about an event. Undefined: it did not want to know, or it is gone, which holds nobody up. @throws RuntimeError when it says no. */
  ask<M extends EventMethod>(
    method: M,
    request: () => Promise<PluginMethods[M][0]> | PluginMethods[M][0],
  ): Promise<PluginMethods[M][1] | undefined> {
    if (!this.wants(method)) return Promise.resolve(undefined);
    return this.inTurn(async () => {
      if (this.isClosed) return undefined;
      const asked = await request();
      try {
        return await this.#call(method, asked);
      } catch (error) {
        if (isUnimplemented(error)) return await this.#changeState(method, asked);
        throw error;
      }
    }).catch((error: unknown) => this.#judge(method, error));
  }

  /** @throws Oversized when it must be told in smaller pieces. */
  synchronize(request: PluginMethods['Synchronize'][0]): Promise<PluginMethods['Synchronize'][1]> {
    // It may have a lot to do, and what is asked meanwhile waits: its time is that of a registration.
    return this.#call('Synchronize', request, this.host.registrationMs);
  }

  async shutdown(): Promise<void> {
    await this.#call('Shutdown', {}).catch(() => undefined);
    this.close(new Error('the daemon is stopping'));
  }

  close(cause: Error): void {
    this.#lost(cause);
    this.#mux.close();
  }

  async #call<M extends keyof PluginMethods>(
    method: M,
    request: PluginMethods[M][0],
    timeoutMs = this.host.requestMs,
  ): Promise<PluginMethods[M][1]> {
    const codec = methodCodec(method);
    const answer = await this.#client.call(PLUGIN, method, codec.encode(request), timeoutMs);
    try {
      return codec.decode(answer);
    } catch (error) {
      throw new TtrpcLost(`its answer to ${method} is not understood`, { cause: error });
    }
  }

  async #changeState(method: EventMethod, request: object): Promise<undefined> {
    const event = asStateChange(method);
    if (event === undefined) return undefined;
    const { pod, container } = request as Told;
    await this.#call('StateChange', { event, ...(pod && { pod }), ...(container && { container }) }).catch(
      (error: unknown) => {
        if (!isUnimplemented(error)) throw error;
      },
    );
    return undefined;
  }

  /** One that cannot be spoken with goes; what it was asked about goes on. One that says no is obeyed. */
  #judge(method: EventMethod, error: unknown): undefined {
    if (error instanceof TtrpcError) throw failedPrecondition(`refused by ${this.label}: ${method}: ${error.message}`);
    if (error instanceof TtrpcLost || error instanceof Oversized) {
      this.close(new Error(`${method}: ${error.message}`));
      return undefined;
    }
    throw error;
  }

  async #serve(service: string, method: string, payload: Buffer): Promise<Buffer> {
    if (service === RUNTIME && method === 'RegisterPlugin') {
      this.#introduce(decode('RegisterPluginRequest', payload));
      return Buffer.alloc(0);
    }
    if (service === RUNTIME && method === 'UpdateContainers') {
      const response = await this.host.updateContainers(this, decode('UpdateContainersRequest', payload));
      return encode('UpdateContainersResponse', response);
    }
    throw unimplemented(`unknown method: ${service}.${method}`);
  }

  #introduce({ pluginName, pluginIdx }: RegisterPluginRequest__Output): void {
    if (this.#identity) throw failedPrecondition(`registered already: ${this.label}`);
    const { name, index, config } = this.launched ?? { name: pluginName, index: pluginIdx, config: '' };
    const refusal = wrongIdentity(name, index);
    if (refusal) {
      this.#register.reject(refusal);
      throw refusal;
    }
    this.#identity = { name, index, config };
    this.#register.resolve();
  }

  #lost(cause: Error): void {
    if (this.#closed) return;
    this.#closed = cause;
    this.#register.reject(cause);
    this.#client.close(cause);
    this.host.lost(this, cause);
  }
}

const wrongIdentity = (name: string, index: string): Error | undefined => {
  if (!/^[A-Za-z0-9_.-]{1,128}$/.test(name))
    return invalidArgument(`not a name: ${JSON.stringify(name.slice(0, 200))}; letters, digits, "-", "_" and "."`);
  if (!/^[0-9]{2}$/.test(index))
    return invalidArgument(`not an index: ${JSON.stringify(index.slice(0, 200))} of plugin ${name}; two digits`);
  return undefined;
};

const isUnimplemented = (error: unknown): boolean => error instanceof TtrpcError && error.code === status.UNIMPLEMENTED;
