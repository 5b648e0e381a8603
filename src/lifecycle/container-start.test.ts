import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Container } from '../store/container.js';
import { Journal } from '../store/journal.js';
import { ContainerStore } from '../store/container-store.js';
import { SupervisorError } from '../supervisor/supervisor.js';
import { startContainer } from './container-start.js';
import { Exits } from './exits.js';
import type { Runtime } from './runtime.js';
import { Timelines } from './timelines.js';
import { Turns } from '../base/turns.js';

const id = 'c'.repeat(64);

/** A created container of a supervisor that fails its start so. */
const failing = (t: Test, error: SupervisorError) => {
  const journal = Journal.open(join(t.testdir(), 'journal'));
  t.teardown(() => journal.close());
  const containers = new ContainerStore(journal);
  const container = { id, sandboxId: 's', config: {}, startedAt: '0', finishedAt: '0' } as Container;
  containers.put(container);
  const asked: string[] = [];
  const supervisor = {
    start: async () => {
      asked.push('start');
      throw error;
    },
    kill: async () => void asked.push('kill'),
  };
  const log = pino({ level: 'silent' });
  const supervisors = { require: () => supervisor };
  const extension = { startContainer: async () => undefined };
  const [turns, exits, timelines] = [new Turns(), new Exits(containers, log), new Timelines(() => true)];
  const parts = { log, containers, supervisors, extension, turns, exits, timelines };
  return {
    asked,
    containers,
    start: () => startContainer(parts as unknown as Runtime, id, new AbortController().signal),
  };
};

t.test('a start that is not answered in time is no exit: the container is killed and its end tells', async (t) => {
  const { asked, containers, start } = failing(t, SupervisorError.timedOut('start', 25_000));
  await t.rejects(start(), { code: status.DEADLINE_EXCEEDED });
  t.same(asked, ['start', 'kill']);
  t.match(containers.get(id), { startedAt: '0', finishedAt: '0' });
});

t.test('a start that the supervisor says has failed is an exit with the cause', async (t) => {
  const answered = new SupervisorError(2, 'exec', 'no such file', { isAnswer: true });
  const { asked, containers, start } = failing(t, answered);
  await t.rejects(start(), { code: status.INVALID_ARGUMENT });
  t.same(asked, ['start']);
  t.match(containers.get(id), { exitCode: 128, reason: 'StartError', message: /^no such file/ });
});
