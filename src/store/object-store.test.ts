import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { Journal } from './journal.js';
import { ObjectStore } from './object-store.js';

const open = (test: { teardown: (f: () => void) => void }) => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-store-'));
  const journal = Journal.open(join(directory, 'journal'));
  test.teardown(() => {
    journal.close();
    rmSync(directory, { recursive: true });
  });
  return { journal, store: new ObjectStore<{ id: string; n: number }>('container', journal) };
};

const A = `aa${'0'.repeat(62)}`;
const B = `ab${'0'.repeat(62)}`;

t.test('objects are found by full ID and by an unambiguous prefix only', async (t) => {
  const { store } = open(t);
  store.put({ id: A, n: 1 });
  store.put({ id: B, n: 2 });
  t.equal(store.find(A)?.n, 1);
  t.equal(store.find('ab')?.n, 2);
  t.equal(store.find('ac'), undefined);
  t.equal(store.find('AB'), undefined, 'IDs are lower case');
  t.throws(() => store.find('a'), { code: status.INVALID_ARGUMENT, message: /^ambiguous/ });
  t.throws(() => store.require('../..'), { code: status.NOT_FOUND });
  t.throws(() => store.require(''), { code: status.INVALID_ARGUMENT });
});

t.test('an update after a removal does not bring the object back', async (t) => {
  const { store, journal } = open(t);
  store.put({ id: A, n: 1 });
  store.delete(A);
  t.equal(store.update(A, { n: 2 }), undefined);
  t.same([...journal.all('container')], []);
});

t.test('a reader keeps the record it read: updates replace, they do not mutate', async (t) => {
  const { store } = open(t);
  store.put({ id: A, n: 1 });
  const before = store.get(A);
  store.update(A, { n: 2 });
  t.equal(before?.n, 1);
  t.equal(store.get(A)?.n, 2);
});

t.test('an update is journalled as what it changes, and found again whole', async (t) => {
  const { store, journal } = open(t);
  store.put({ id: A, n: 1 });
  store.update(A, { n: 2 });
  t.same([...journal.all('container')], [[A, { id: A, n: 2 }]]);
  t.same(new ObjectStore<{ id: string; n: number }>('container', journal).get(A), { id: A, n: 2 });
});
