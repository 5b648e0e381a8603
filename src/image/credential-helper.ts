import { spawn } from 'node:child_process';
import type { RunHelper } from './docker-config.js';

const DEADLINE_MS = 20_000;
const MAX_ANSWER = 64 << 10;
/** Fixed, so that nothing from the daemon's surroundings chooses the program. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The helper protocol of docker: the server on stdin, JSON on stdout. What it says on stderr may hold secrets and is not shown. */
export const runCredentialHelper: RunHelper = (name, server) =>
  new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, ['get'], {
      cwd: '/',
      env: { PATH, HOME: '/root' },
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    let answer = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      if (answer.length > MAX_ANSWER) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.stdin.once('error', () => undefined); // a helper that ends without reading still has its exit code
    child.once('close', (code) =>
      code === 0 ? resolve(answer) : reject(new Error(`docker-credential-${name} failed`)),
    );
    child.stdin.end(server);
  });
