import { Client, credentials, Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import type { Config } from '../base/config.js';
import { loadCri } from '../grpc/proto.js';

/** An RPC by its name in api.proto, of either service. Rejects with grpc-js's ServiceError. */
export type Call = <Reply>(name: string, request: object) => Promise<Reply>;

/** Speaks CRI to the daemon of this configuration for as long as `work` takes; each call has `deadlineMs`. */
export const withDaemon = async <T>(
  { socket }: Pick<Config, 'socket'>,
  deadlineMs: number,
  work: (call: Call) => Promise<T>,
): Promise<T> => {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const { runtime, image } = loadCri();
  try {
    return await work(caller(client, { ...runtime, ...image }, deadlineMs));
  } finally {
    client.close();
  }
};

const caller =
  (client: Client, methods: ServiceDefinition, deadlineMs: number): Call =>
  (name, request) => {
    const method = methods[name];
    if (!method) throw new Error(`no such RPC: ${name}`);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + deadlineMs },
        (error, reply) => (error ? reject(error) : resolve(reply)),
      );
    });
  };

/** The messages of a streaming RPC, for as long as the daemon sends them. */
export async function* followDaemon<Message>(
  { socket }: Pick<Config, 'socket'>,
  name: string,
  request: object,
): AsyncGenerator<Message> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const method = loadCri().runtime[name];
  if (!method) throw new Error(`no such RPC: ${name}`);
  try {
    yield* client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request);
  } finally {
    client.close();
  }
}
