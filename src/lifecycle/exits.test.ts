import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Container } from '../store/container.js';
import { containerState } from '../store/container.js';
import { Journal } from '../store/journal.js';
import { ContainerStore } from '../store/container-store.js';
import { exitReason, Exits } from './exits.js';

const ID = 'c'.repeat(64);
const EXIT = { exitCode: 3, oom: false, finishedAt: '20', message: '' };

const open = (test: { teardown: (f: () => void) => void }) => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-exits-'));
  const journal = Journal.open(join(directory, 'journal'));
  test.teardown(() => {
    journal.close();
    rmSync(directory, { recursive: true });
  });
  const containers = new ContainerStore(journal);
  containers.put({ id: ID, startedAt: '10', finishedAt: '0', exitCode: 0, reason: '', message: '' } as Container);
  return { containers, exits: new Exits(containers, pino({ level: 'silent' })) };
};

t.test('a recorded exit makes the container EXITED and wakes all who wait, once', async (t) => {
  const { containers, exits } = open(t);
  const waiting = Promise.all([exits.wait(ID, 60_000), exits.wait(ID, 60_000)]);
  exits.record(ID, EXIT);
  t.same(await waiting, [true, true]);
  const container = containers.get(ID) as Container;
  t.equal(containerState(container), 'CONTAINER_EXITED');
  t.match(container, { exitCode: 3, reason: 'Error', finishedAt: '20' });
  exits.record(ID, { ...EXIT, exitCode: 0, finishedAt: '99' });
  t.match(containers.get(ID), { exitCode: 3, finishedAt: '20' }, 'the first report stands');
});

t.test('waiting ends at its deadline, at once for what is over, and never for ever', async (t) => {
  const { exits } = open(t);
  t.equal(await exits.wait(ID, 1), false);
  t.equal(await exits.wait('unknown', 60_000), true);
  exits.record(ID, EXIT);
  t.equal(await exits.wait(ID, 60_000), true);
});

t.test('a report of a container that the store does not know wakes whoever asked for it', async (t) => {
  const { exits } = open(t);
  const reported = exits.reported('stranger', 60_000);
  exits.record('stranger', EXIT);
  await t.resolves(reported);
});

t.test('reasons', async (t) => {
  t.equal(exitReason({ ...EXIT, exitCode: 0 }), 'Completed');
  t.equal(exitReason({ ...EXIT, exitCode: 137, oom: true }), 'OOMKilled');
  t.equal(exitReason({ ...EXIT, exitCode: 0, oom: true }), 'Completed', 'a child died, the container did not');
  t.equal(exitReason({ ...EXIT, exitCode: 128, message: 'no such file' }), 'StartError');
  t.equal(exitReason({ ...EXIT, unknown: true }), 'ContainerStatusUnknown');
});
