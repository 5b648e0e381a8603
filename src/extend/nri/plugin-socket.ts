import { once } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { failedPrecondition } from '../../base/errors.js';

/** Where plugins connect: root's alone. */
export const listenForPlugins = async (path: string, accept: (socket: Socket) => void): Promise<Server> => {
  if (await isServed(path)) throw failedPrecondition(`somebody else serves it: ${path}; set socket_path of [nri]`);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  const server = createServer(accept);
  // Bound within the call: nothing else is made under this mask.
  const mask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  await once(server, 'listening');
  await chmod(path, 0o600);
  return server;
};

const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
