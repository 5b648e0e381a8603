import { chmodSync } from 'node:fs';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { makeRoom } from '../base/unix-socket.js';
import { within } from '../base/within.js';
import type { Calls } from './calls.js';

/** The kubelet's own limit for messages (kubernetes cri-client), in bytes. */
const MAX_MESSAGE = 16 << 20;

export interface Service {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

/** A gRPC server on a unix socket that only root and its group may connect to. */
export const listen = async (socket: string, services: Service[]): Promise<Server> => {
  await makeRoom(socket);
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
    // Nobody asks this server for channelz, and counting for it is work in every call.
    'grpc.enable_channelz': 0,
  });
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  // The mode must hold from the first moment, so bind under a umask instead of changing it afterwards.
  const previous = process.umask(0o117);
  try {
    await bind(server, `unix:${socket}`);
  } finally {
    process.umask(previous);
  }
  chmodSync(socket, 0o660);
  return server;
};

/** Time for the last answers to reach their clients. */
const FLUSH_MS = 500;

/**
 * Takes no more calls, lets running ones end for `graceMs` and then tells their clients to ask again. It ends in time, whatever becomes of
 * the connections, which go with the process: grpc-js waits for ever for some clients that hung up just before, and its forceShutdown()
 * finds no connection where channelz does not count them.
 */
export const shutdown = async (server: Server, calls: Calls, graceMs: number): Promise<void> => {
  const ended = new Promise<void>((resolve) => {
    server.tryShutdown(() => resolve());
  });
  await within(graceMs, ended).catch(() => {
    calls.cut();
    return within(FLUSH_MS, ended).catch(() => undefined);
  });
};

const bind = (server: Server, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
