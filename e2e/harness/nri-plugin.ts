import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import Long from 'long';
import protobuf from 'protobufjs/light.js';
import { descriptor } from '../../src/gen/nri.js';
import type { ContainerAdjustment } from '../../src/gen/nri/nri/pkg/api/v1alpha1/ContainerAdjustment.js';
import type { ContainerUpdate } from '../../src/gen/nri/nri/pkg/api/v1alpha1/ContainerUpdate.js';
import type { Told } from './nri-told.js';

protobuf.util.Long = Long;
protobuf.configure();
const root = protobuf.Root.fromJSON(JSON.parse(descriptor) as protobuf.INamespace);
root.resolveAll();
const [REQUEST, RESPONSE] = [root.lookupType('ttrpc.Request'), root.lookupType('ttrpc.Response')];
const PACKAGE = 'nri.pkg.api.v1alpha1';

export interface Answer {
  adjust?: ContainerAdjustment;
  update?: ContainerUpdate[];
  evict?: Array<{ containerId: string; reason: string }>;
  reject?: boolean;
  reason?: string;
  more?: boolean;
}

/** What the plugin does when it is asked: answers, refuses by throwing, or never answers. */
export type Handler = (told: Told) => Answer | undefined | Promise<Answer | undefined>;

export interface PluginOptions {
  readonly name: string;
  readonly index?: string;
  /** Mask of events; 0: all. */
  readonly events?: number;
  readonly version?: string;
  readonly handlers?: Record<string, Handler>;
}

/** An NRI plugin as others write them, with a multiplexer and a ttrpc of its own. */
export class NriPlugin {
  /** In their order. */
  readonly asked: Array<{ method: string; told: Told }> = [];
  /** Resolves when the daemon has ended the connection. */
  readonly gone: Promise<unknown>;
  readonly synchronized: Promise<void>;
  #synchronized: () => void = () => undefined;
  readonly #answers = new Map<number, (frame: Buffer) => void>();
  readonly #parts = new Map<number, Buffer>();
  #bytes = Buffer.alloc(0);
  #stream = 1;

  private constructor(
    readonly socket: Socket,
    readonly options: PluginOptions,
  ) {
    this.gone = new Promise((resolve) => socket.once('close', resolve));
    this.synchronized = new Promise((resolve) => (this.#synchronized = resolve));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => this.#receive(chunk));
  }

  /** Connects and registers; not waited for is what the daemon then asks. */
  static async connect(path: string, options: PluginOptions): Promise<NriPlugin> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new NriPlugin(socket, options);
  }

  /** One that takes part. */
  static async join(path: string, options: PluginOptions): Promise<NriPlugin> {
    const plugin = await NriPlugin.connect(path, options);
    await plugin.register();
    await plugin.synchronized;
    return plugin;
  }

  register(): Promise<object> {
    const { name, index = '10', version = 'v0.12.0' } = this.options;
    return this.call('RegisterPlugin', { pluginName: name, pluginIdx: index, NRIVersion: version });
  }

  /** Asks the daemon. */
  async call(method: string, request: object): Promise<object> {
    const { resolvedRequestType, resolvedResponseType } = methodOf('Runtime', method);
    const stream = this.#stream;
    this.#stream += 2;
    const payload = resolvedRequestType.encode(resolvedRequestType.fromObject(request)).finish();
    const data = REQUEST.encode({ service: `${PACKAGE}.Runtime`, method, payload }).finish();
    const answer = new Promise<Buffer>((resolve) => this.#answers.set(stream, resolve));
    this.#send(2, stream, 1, data);
    const { status, payload: answered } = RESPONSE.toObject(RESPONSE.decode(await answer)) as {
      status?: { code: number; message: string };
      payload?: Buffer;
    };
    if (status?.code) throw new Error(status.message);
    return resolvedResponseType.toObject(resolvedResponseType.decode(answered ?? Buffer.alloc(0)), {
      longs: String,
      defaults: true,
    });
  }

  methods(): string[] {
    return this.asked.map(({ method }) => method);
  }

  close(): void {
    this.socket.destroy();
  }

  #send(connection: number, stream: number, type: number, data: Uint8Array): void {
    const header = Buffer.alloc(18);
    header.writeUInt32BE(connection, 0);
    header.writeUInt32BE(10 + data.length, 4);
    header.writeUInt32BE(data.length, 8);
    header.writeUInt32BE(stream, 12);
    header.writeUInt8(type, 16);
    this.socket.write(Buffer.concat([header, data]));
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 8 && this.#bytes.length >= 8 + this.#bytes.readUInt32BE(4)) {
      const [connection, length] = [this.#bytes.readUInt32BE(0), this.#bytes.readUInt32BE(4)];
      this.#take(connection, this.#bytes.subarray(8, 8 + length));
      this.#bytes = this.#bytes.subarray(8 + length);
    }
  }

  #take(connection: number, bytes: Buffer): void {
    let all = Buffer.concat([this.#parts.get(connection) ?? Buffer.alloc(0), bytes]);
    while (all.length >= 10 && all.length >= 10 + all.readUInt32BE(0)) {
      const [length, stream] = [all.readUInt32BE(0), all.readUInt32BE(4)];
      const data = all.subarray(10, 10 + length);
      if (connection === 2) this.#answers.get(stream)?.(data);
      else void this.#answer(stream, data);
      all = all.subarray(10 + length);
    }
    this.#parts.set(connection, all);
  }

  async #answer(stream: number, data: Buffer): Promise<void> {
    const { method, payload = Buffer.alloc(0) } = REQUEST.toObject(REQUEST.decode(data)) as {
      method: string;
      payload?: Buffer;
    };
    const { resolvedRequestType, resolvedResponseType } = methodOf('Plugin', method);
    const told = resolvedRequestType.toObject(resolvedRequestType.decode(payload), {
      longs: String,
      enums: String,
      defaults: true,
    }) as Told;
    this.asked.push({ method, told });
    try {
      const answer = (await this.options.handlers?.[method]?.(told)) ?? this.#byDefault(method, told);
      const bytes = resolvedResponseType.encode(resolvedResponseType.fromObject(answer)).finish();
      this.#send(1, stream, 2, RESPONSE.encode({ payload: bytes }).finish());
    } catch (error) {
      const status = { code: 2, message: (error as Error).message };
      this.#send(1, stream, 2, RESPONSE.encode({ status }).finish());
    }
    if (method === 'Synchronize' && !told.more) this.#synchronized();
  }

  #byDefault(method: string, { more }: Told): object {
    if (method === 'Configure') return { events: this.options.events ?? 0 };
    return method === 'Synchronize' ? { more } : {};
  }
}

const methodOf = (service: string, name: string) => {
  const method = root.lookupService(`${PACKAGE}.${service}`).methods[name];
  const { resolvedRequestType, resolvedResponseType } = method ?? {};
  if (!resolvedRequestType || !resolvedResponseType) throw new Error(`no such method: ${service}.${name}`);
  return { resolvedRequestType, resolvedResponseType };
};
