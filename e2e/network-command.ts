import { spawn } from 'node:child_process';
import type { CommandResult, RunCommand } from '../src/network/invoke.js';

/** Runs commands as the spawner's RUN does, for tests without a spawner. */
export const runCommand: RunCommand = ({ argv: [file = '', ...args], env, stdin, timeoutMs, maxOutput }) =>
  new Promise<CommandResult>((resolve, reject) => {
    const child = spawn(file, args, { env, cwd: '/', detached: true });
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    }, timeoutMs);
    child.on('error', reject);
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    child.stdout.on('data', (data: Buffer) => output.stdout.push(data));
    child.stderr.on('data', (data: Buffer) => output.stderr.push(data));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const [stdout, stderr] = [output.stdout, output.stderr].map((chunks) =>
        Buffer.concat(chunks).subarray(0, maxOutput),
      );
      resolve({
        code,
        signal: signal === null ? null : 9,
        stdout: stdout ?? Buffer.alloc(0),
        stderr: stderr ?? Buffer.alloc(0),
        timedOut,
      });
    });
  });
