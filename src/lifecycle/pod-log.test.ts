import { pino } from 'pino';
import t from 'tap';
import type { Container } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';
import { podLog } from './pod-log.js';

t.test('lines about a pod or its container carry its name, others do not', (t) => {
  const lines: object[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line) as object) });
  const sandbox = { config: { metadata: { namespace: 'shop', name: 'web-0' } } } as Sandbox;
  const named = podLog(
    log,
    { get: (id) => (id === 's' ? sandbox : undefined) },
    { get: (id) => (id === 'c' ? ({ sandboxId: 's' } as Container) : undefined) },
  );
  named.info({ sandbox: 's' }, 'a');
  named.info({ container: 'c', exitCode: 1 }, 'b');
  named.child({ part: 'x' }).info({ container: 'c' }, 'c');
  named.info({ sandbox: 'gone' }, 'd');
  named.info('e');
  t.same(lines, [
    { level: 30, pod: 'shop/web-0', sandbox: 's', msg: 'a' },
    { level: 30, pod: 'shop/web-0', container: 'c', exitCode: 1, msg: 'b' },
    { level: 30, part: 'x', pod: 'shop/web-0', container: 'c', msg: 'c' },
    { level: 30, sandbox: 'gone', msg: 'd' },
    { level: 30, msg: 'e' },
  ]);
  t.end();
});
