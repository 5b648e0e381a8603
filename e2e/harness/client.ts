import { fileURLToPath } from 'node:url';
import {
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type MethodDefinition as ClientMethod,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType } from '../../src/gen/api.js';
import type { ImageServiceDefinition } from '../../src/gen/runtime/v1/ImageService.js';
import type { RuntimeServiceDefinition } from '../../src/gen/runtime/v1/RuntimeService.js';
import { PATIENCE } from './wait.js';

const API = fileURLToPath(new URL('../../../proto/cri/v1/api.proto', import.meta.url));
const DEADLINE_MS = 60_000;
const MAX_MESSAGE = 32 << 20;

export interface CallOptions {
  deadlineMs?: number;
  signal?: AbortSignal;
  /** Of a stream: the daemon is serving it, whether or not there is a reply yet. */
  onOpen?: () => void;
}

/** Every RPC of a service: as an async function, or for a stream of replies as an async generator. */
type Calls<D> = {
  [K in keyof D as Uncapitalize<K & string>]: D[K] extends MethodDefinition<
    infer Request,
    infer _R,
    infer _S,
    infer Reply
  >
    ? K extends `Stream${string}` | 'GetContainerEvents'
      ? (request: Request, options?: CallOptions) => AsyncIterable<Reply>
      : (request: Request, options?: CallOptions) => Promise<Reply>
    : never;
};

export type Cri = Calls<RuntimeServiceDefinition> & Calls<ImageServiceDefinition> & { close: () => void };

const loaded = loadPackageDefinition(
  loadSync(API, { longs: String, enums: String, defaults: true, oneofs: true }),
) as unknown as ProtoGrpcType;
const methods: ServiceDefinition = {
  ...loaded.runtime.v1.RuntimeService.service,
  ...loaded.runtime.v1.ImageService.service,
};

/** A client of both CRI services on one socket, or at an address `host:port`. */
export const connect = (socket: string): Cri => {
  const client = new Client(socket.startsWith('/') ? `unix:${socket}` : socket, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
    // Each client has its own connection: a daemon that was killed must not be met through another's.
    'grpc.use_local_subchannel_pool': 1,
  });
  const calls = Object.entries(methods).map(
    ([name, method]) =>
      [uncapitalize(name), method.responseStream ? streamer(client, method) : caller(client, method)] as const,
  );
  return { ...Object.fromEntries(calls), close: () => client.close() } as unknown as Cri;
};

/** A failed call: `code` is the gRPC status, `details` the daemon's message; the stack is that of the test. */
class CriError extends Error {
  code: status = status.UNKNOWN;
  details = '';
}

const caller =
  (client: Client, method: ClientMethod<object, object>) =>
  (request: object, { deadlineMs = DEADLINE_MS, signal }: CallOptions = {}): Promise<object> => {
    const failure = new CriError();
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + deadlineMs * PATIENCE },
        (error, reply) => {
          if (!error) return resolve(reply as object);
          reject(describe(failure, method, error));
        },
      );
      signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  };

/** Leaving the loop over the replies cancels the call. */
const streamer = (client: Client, method: ClientMethod<object, object>) =>
  async function* (
    request: object,
    { deadlineMs = DEADLINE_MS, signal, onOpen }: CallOptions = {},
  ): AsyncGenerator<object> {
    const { path, requestSerialize, responseDeserialize } = method;
    const failure = new CriError();
    const deadline = Date.now() + deadlineMs;
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, { deadline });
    signal?.addEventListener('abort', () => call.cancel(), { once: true });
    if (onOpen) call.once('metadata', onOpen);
    try {
      for await (const reply of call) yield reply as object;
    } catch (error) {
      throw describe(failure, method, error as ServiceError);
    } finally {
      call.cancel();
    }
  };

const describe = (
  failure: CriError,
  { path }: ClientMethod<object, object>,
  { code, details }: ServiceError,
): CriError =>
  Object.assign(failure, { code, details, message: `${path.replace(/.*\//, '')}: ${status[code]}: ${details}` });

const uncapitalize = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);
