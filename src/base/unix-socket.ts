import { mkdirSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';

/** Makes room for a socket: its directory is there, and no file of a daemon that was killed. One that answers belongs to a running one. */
export const makeRoom = async (socket: string): Promise<void> => {
  mkdirSync(dirname(socket), { recursive: true, mode: 0o711 });
  const answered = await new Promise<boolean>((resolve) => {
    const probe = createConnection(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answered) throw new Error(`another daemon is serving ${socket}: stop it, or give this one another socket`);
  try {
    unlinkSync(socket);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};
