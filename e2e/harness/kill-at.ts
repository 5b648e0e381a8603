import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './images.js';

const SOURCE = fileURLToPath(new URL('../../../e2e/harness/kill-at.c', import.meta.url));

/** Ends a supervisor between any two of its system calls (kill-at.c): `watch` answers once it is being counted. */
export interface KillAt {
  watch: (of: 'spawner' | 'supervisor', pid: number, call: number) => Promise<Watch>;
  remove: () => Promise<void>;
}

export interface Watch {
  /** Stops counting; true when the supervisor was killed. */
  end: () => Promise<boolean>;
}

export const killAt = async (): Promise<KillAt> => {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-kill-at-'));
  const program = join(directory, 'kill-at');
  await writeFile(program, await compile(SOURCE));
  await chmod(program, 0o700);
  return {
    watch: (of, pid, call) => watch(program, [of, String(pid), String(call)]),
    remove: () => rm(directory, { recursive: true }),
  };
};

const watch = async (program: string, args: string[]): Promise<Watch> => {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = once(child.stdout, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  if (!said.startsWith('ready')) throw new Error(`${program} ${args.join(' ')} does not watch: ${said}`);
  return {
    end: async () => {
      child.kill('SIGTERM');
      await Promise.all([ended, closed]);
      return said.includes('killed');
    },
  };
};
