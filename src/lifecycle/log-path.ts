import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

/**
 * The path by which the supervisor opens a log. An administrator may have made a link of /var/log or of what is above it; from the pod's
 * own log directory on, where a pod may be able to write, the supervisor follows none.
 */
export const withoutLinksAbove = async (logDirectory: string, logPath: string): Promise<string> => {
  const above = await realpath(dirname(logDirectory)).catch((error: NodeJS.ErrnoException) => {
    // What is missing is made on the way.
    if (error.code === 'ENOENT') return dirname(logDirectory);
    throw error;
  });
  return join(above, basename(logDirectory), relative(logDirectory, logPath));
};
