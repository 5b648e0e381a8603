import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { HostCommand, HostCommandResult } from '../supervisor/spawner.js';
import { SupervisorError } from '../supervisor/supervisor.js';
import { runHook } from './run-hooks.js';

const DONE: HostCommandResult = {
  code: 0,
  signal: null,
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  timedOut: false,
};

const spawnerThat = (result: Partial<HostCommandResult> | Error) => {
  const commands: HostCommand[] = [];
  const run = async (command: HostCommand) => {
    commands.push(command);
    if (result instanceof Error) throw result;
    return { ...DONE, ...result };
  };
  return { commands, run };
};

t.test('a hook is run as it is written, with the state', async (t) => {
  const spawner = spawnerThat({});
  await runHook(
    spawner,
    'prestart',
    { path: '/h', args: ['name', 'x'], env: ['A=b=c', 'EMPTY'], timeout: 3 },
    { id: 'c' },
  );
  t.match(spawner.commands, [
    {
      program: '/h',
      argv: ['name', 'x'],
      env: { A: 'b=c', EMPTY: '' },
      stdin: '{"id":"c"}',
      timeoutMs: 3000,
      maxOutput: 1024,
    },
  ]);
});

t.test('what a failed one has said is told, in one line', async (t) => {
  const failing = (result: Partial<HostCommandResult> | Error) =>
    runHook(spawnerThat(result), 'createRuntime', { path: '/h', timeout: 3 }, {});
  await t.rejects(failing({ code: 4, stderr: Buffer.from('line 1\nline 2\n') }), {
    code: status.FAILED_PRECONDITION,
    message: 'exit code 4: createRuntime hook /h: line 1 line 2',
  });
  await t.rejects(failing({ code: 4, stdout: Buffer.from('said') }), { message: /said$/ });
  await t.rejects(failing({ code: null, signal: 9 }), { message: /^killed by signal 9: / });
  await t.rejects(failing({ code: null, signal: 9, timedOut: true }), {
    code: status.DEADLINE_EXCEEDED,
    message: 'killed after 3000 ms: createRuntime hook /h',
  });
  await t.rejects(failing(new SupervisorError(2, 'run', 'no such file or directory: program /h')), {
    code: status.INVALID_ARGUMENT,
    message: /no such file or directory.*createRuntime hook \/h/,
  });
});
