import { spawn } from 'node:child_process';
import type { RunHelper } from './docker-config.js';

const MAX_ANSWER = 64 << 10;

interface Limits {
  /** Fixed, so that nothing from the daemon's surroundings chooses the program. */
  readonly path: string;
  readonly deadlineMs: number;
  /** Time for the pipe to end behind a helper that has: somebody whom it left behind may hold it for ever. */
  readonly drainMs: number;
}

const LIMITS: Limits = {
  path: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  deadlineMs: 20_000,
  drainMs: 2_000,
};

/**
 * The helper protocol of docker: the server on stdin, JSON on stdout. What it says on stderr may hold secrets and is not shown. A helper
 * that takes too long or says too much ends with all that it has started.
 */
export const credentialHelper =
  ({ path, deadlineMs, drainMs }: Limits = LIMITS): RunHelper =>
  (name, server) =>
    new Promise((resolve, reject) => {
      const child = spawn(`docker-credential-${name}`, ['get'], {
        cwd: '/',
        env: { PATH: path, HOME: '/root' },
        stdio: ['pipe', 'pipe', 'ignore'],
        detached: true, // a process group of its own
      });
      const end = () => {
        if (child.exitCode === null && child.signalCode === null && child.pid) process.kill(-child.pid, 'SIGKILL');
        child.stdout.destroy();
      };
      let timer = setTimeout(end, deadlineMs);
      let answer = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
        if (answer.length > MAX_ANSWER) end();
      });
      child.stdin.once('error', () => undefined); // a helper that ends without reading still has its exit code
      child.once('exit', () => {
        clearTimeout(timer);
        timer = setTimeout(end, drainMs);
      });
      child.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.once('close', (code) => {
        clearTimeout(timer);
        if (code === 0) resolve(answer);
        else reject(new Error(`docker-credential-${name} failed`));
      });
      child.stdin.end(server);
    });
