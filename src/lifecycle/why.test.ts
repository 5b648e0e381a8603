import t from 'tap';
import type { Container } from '../store/container.js';
import type { Passage } from './timelines.js';
import { why } from './why.js';

const container = (over: Partial<Container> = {}): Container =>
  ({
    stage: 'live',
    config: { command: ['/bin/app'], args: ['-v'] },
    image: { id: 'sha256:1', name: 'app:1' },
    startedAt: '1700000000000000000',
    finishedAt: '1700000001000000000',
    exitCode: 1,
    reason: 'Error',
    message: '',
    limits: {},
    stopSignal: 15,
    ...over,
  }) as Container;

t.test('each way to end has its sentence', async (t) => {
  const cases: Array<[Partial<Container>, RegExp, RegExp]> = [
    [{ exitCode: 0, reason: 'Completed' }, /was done/, /^$/],
    [{ exitCode: 3 }, /by itself with exit code 3/, /log/],
    [{ exitCode: 127 }, /did not find a command/, /log/],
    [{ exitCode: 139 }, /SIGSEGV/, /log/],
    [{ exitCode: 137 }, /SIGKILL/, /kernel log/],
    [{ exitCode: 159 }, /seccomp/, /system call/],
    [
      { exitCode: 137, reason: 'OOMKilled', limits: { memory: { limit: 4096 } } },
      /memory ran out: its limit is 4096 bytes/,
      /more memory/,
    ],
    [{ exitCode: 137, reason: 'OOMKilled' }, /no limit/, /node/],
    [{ exitCode: 137, killAt: 5 }, /SIGTERM was sent, it had not ended .* killed/, /more time/],
    [{ exitCode: 143, killAt: 5 }, /SIGTERM was sent, and it ended with exit code 143/, /^$/],
    [
      { exitCode: 128, reason: 'StartError', message: 'no such file: /bin/app' },
      /could not be started: no such file/,
      /command/,
    ],
    [
      { reason: 'ContainerStatusUnknown', message: 'the supervisor is gone' },
      /nobody saw its end: the supervisor/,
      /^$/,
    ],
  ];
  for (const [over, cause, remedy] of cases) {
    const told = why(container(over), []);
    t.match(told, { state: 'CONTAINER_EXITED', cause, remedy }, JSON.stringify(over));
    t.match(told.facts, ['image: app:1', 'command: /bin/app -v']);
  }
});

t.test('one that has not ended', async (t) => {
  t.match(why(container({ finishedAt: '0' }), []), { state: 'CONTAINER_RUNNING', cause: /since 2023-/ });
  const created = container({ finishedAt: '0', startedAt: '0' });
  t.match(why(created, []), { cause: /nobody has started it/ });
  const failed = { what: 'StartContainer', error: 'the supervisor does not answer' } as Passage;
  t.match(why(created, [failed]), { cause: 'StartContainer failed: the supervisor does not answer' });
});
