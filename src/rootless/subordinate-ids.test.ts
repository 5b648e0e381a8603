import t from 'tap';
import { idCount, mapArguments, readRanges, subordinateRanges } from './subordinate-ids.js';

const FILE = 'root:100000:65536\nraft:300000:65536\n4242:500000:10\nrafter:1:1\nraft:x:y\nraft:0:65536\n\n';

t.test('the ranges of a user, by name or number', async (t) => {
  t.same(subordinateRanges(FILE, 'raft', 4242), [
    { start: 300_000, count: 65_536 },
    { start: 500_000, count: 10 },
  ]);
  t.same(subordinateRanges(FILE, 'nobody', 65_534), []);
  t.same(readRanges('/nowhere/subuid', 'raft', 4242), [], 'no file');
});

t.test('the user is root, the ranges follow one behind the other', async (t) => {
  const ranges = subordinateRanges(FILE, 'raft', 4242);
  t.equal(idCount(ranges), 65_546);
  t.equal(mapArguments(4242, ranges).join(' '), '0 4242 1 1 300000 65536 65537 500000 10');
  t.equal(mapArguments(4242, []).join(' '), '0 4242 1');
});
