import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { VERSION } from '../version.js';
import { Journal } from './journal.js';
import { decodeEntries, encodeEntry } from './journal-entry.js';

const temporary = (test: { teardown: (f: () => void) => void }): string => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-journal-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, 'journal');
};

t.test('what was put is there after reopening, what was deleted is not', async (t) => {
  const path = temporary(t);
  const journal = Journal.open(path);
  journal.put('sandbox', 'a', { stage: 'creating' });
  journal.put('sandbox', 'a', { stage: 'ready' });
  journal.put('container', 'b', { n: 1 });
  journal.delete('container', 'b');
  journal.close();
  const again = Journal.open(path);
  t.same([...again.all('sandbox')], [['a', { stage: 'ready' }]]);
  t.same([...again.all('container')], []);
  again.close();
});

t.test('changes are put together with what was put before, also after a compaction', async (t) => {
  const path = temporary(t);
  const journal = Journal.open(path);
  journal.put('sandbox', 'a', { stage: 'creating', ips: ['10.0.0.1'] });
  journal.change('sandbox', 'a', { stage: 'ready' }, { stage: 'ready', ips: ['10.0.0.1'] });
  t.same(journal.all('sandbox').get('a'), { stage: 'ready', ips: ['10.0.0.1'] });
  journal.close();
  for (const what of ['replayed', 'compacted']) {
    const again = Journal.open(path);
    t.same([...again.all('sandbox')], [['a', { stage: 'ready', ips: ['10.0.0.1'] }]], what);
    again.close();
  }
});

t.test('a change of an object that is gone does not bring a piece of it back', async (t) => {
  const path = temporary(t);
  writeFileSync(path, encodeEntry({ kind: 'k', id: '1', change: { n: 1 } }));
  const journal = Journal.open(path);
  t.same([...journal.all('k')], []);
  journal.close();
});

t.test('a journal cut at any byte yields a prefix of its entries and never more', async (t) => {
  const entries = [
    { kind: 'sandbox', id: 'a', value: { text: 'ä'.repeat(30) } },
    { kind: 'sandbox', id: 'b', change: { n: 2 } },
    { kind: 'sandbox', id: 'a' },
  ];
  const frames = entries.map((entry) => encodeEntry(entry));
  const whole = Buffer.concat(frames);
  for (let cut = 0; cut <= whole.length; cut++) {
    const expected: typeof entries = [];
    let end = 0;
    for (const [index, frame] of frames.entries()) {
      if (end + frame.length > cut) break;
      end += frame.length;
      expected.push(entries[index] as (typeof entries)[number]);
    }
    const decoded = decodeEntries(whole.subarray(0, cut));
    t.same(decoded, { entries: expected, end }, `cut at ${cut}`);
  }
});

t.test('a flipped bit ends what is believed', async (t) => {
  const first = encodeEntry({ kind: 'k', id: '1', value: { n: 1 } });
  const whole = Buffer.concat([first, encodeEntry({ kind: 'k', id: '2', value: { n: 2 } })]);
  for (let at = first.length; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    t.same(decodeEntries(damaged).entries.length, 1, `bit flipped in byte ${at}`);
  }
});

t.test('zeros after a power loss end the journal and keep nobody from opening it', async (t) => {
  const path = temporary(t);
  const whole = encodeEntry({ kind: 'k', id: '1', value: { n: 1 } });
  for (const zeros of [1, 8, 4096]) {
    const data = Buffer.concat([whole, Buffer.alloc(zeros)]);
    t.equal(decodeEntries(data).end, whole.length, `${zeros} zeros`);
    writeFileSync(path, data);
    const journal = Journal.open(path);
    t.same([...journal.all('k')], [['1', { n: 1 }]]);
    journal.put('k', '2', { n: 2 });
    journal.close();
    const again = Journal.open(path);
    t.same([...again.all('k').keys()], ['1', '2'], 'and later entries are found');
    again.close();
  }
});

t.test('a payload that is no JSON is damage, although its checksum is right', async (t) => {
  const payload = Buffer.from('{"kind":');
  const header = Buffer.alloc(8);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  t.same(decodeEntries(Buffer.concat([header, payload])), { entries: [], end: 0 });
});

t.test('bytes come back as bytes, also from a journal of an older version, and labels as labels', async (t) => {
  const path = temporary(t);
  const value = { env: Buffer.from([0, 255, 10]), labels: { base64: 'QUJD', type: 'Buffer', data: 'QUJD' } };
  const payload = Buffer.from(JSON.stringify({ kind: 'k', id: 'old', value }));
  const header = Buffer.alloc(8);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  writeFileSync(path, Buffer.concat([header, payload, encodeEntry({ kind: 'k', id: 'new', value })]));
  const journal = Journal.open(path);
  t.strictSame([...journal.all('k').values()], [value, value]);
  journal.close();
});

t.test('an environment of some megabytes is read back, and one too large for the journal is refused', async (t) => {
  const path = temporary(t);
  const journal = Journal.open(path);
  const envs = Array.from({ length: 26 }, (_, n) => ({ key: `K${n}`, value: Buffer.alloc(100_000, n) }));
  journal.put('container', 'a', { envs });
  const large = { envs: [{ key: 'L', value: Buffer.alloc(7 << 20) }] };
  const refusal = { code: status.INVALID_ARGUMENT, message: /^too large: container b takes \d+ bytes/ };
  t.throws(() => journal.put('container', 'b', large), refusal);
  t.throws(() => journal.change('container', 'b', large, large), refusal);
  t.notOk(journal.all('container').has('b'));
  journal.put('container', 'c', { n: 1 });
  journal.close();
  const again = Journal.open(path);
  // The difference of megabytes would take minutes to show.
  t.ok(isDeepStrictEqual(again.all('container').get('a'), { envs }));
  t.same(again.all('container').get('c'), { n: 1 });
  again.close();
});

t.test('an object that its changes made larger than any one of them is kept', async (t) => {
  const path = temporary(t);
  const journal = Journal.open(path);
  const halves = { a: 'a'.repeat(5 << 20), b: 'b'.repeat(5 << 20) };
  journal.put('k', '1', { a: halves.a });
  journal.change('k', '1', { b: halves.b }, halves);
  journal.close();
  for (const what of ['replayed', 'compacted']) {
    const again = Journal.open(path);
    t.ok(isDeepStrictEqual(again.all('k').get('1'), halves), what);
    again.close();
  }
});

// With a listener the write fails instead of ending the process.
process.on('SIGXFSZ', () => undefined);

/** No file of this process grows beyond it: what a full disk is to the journal. */
const limitFiles = (bytes: number | 'unlimited') =>
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);

t.test(
  'without room nothing new is written, what ends is, and what happened is written when there is room',
  async (t) => {
    t.teardown(() => limitFiles('unlimited'));
    const path = temporary(t);
    const troubles: string[] = [];
    const journal = Journal.open(path, (_error, what) => void troubles.push(what));
    const text = 'x'.repeat(100_000);
    journal.put('k', 'old', { text });
    limitFiles(statSync(path).size);
    t.throws(
      () => {
        for (let n = 0; n < 20; n++) journal.put('k', `new ${n}`, { text });
      },
      { code: 'EFBIG' },
    );
    journal.change('k', 'old', { n: 1 }, { text, n: 1 });
    journal.delete('k', 'new 0');
    t.throws(
      () => {
        for (let n = 2; n < 20; n++) journal.change('k', 'old', { text, n }, { text, n });
      },
      { code: 'EFBIG' },
    );
    journal.note('k', 'old', { text, end: 2 }, { text, end: 2 });
    t.match(journal.all('k').get('old'), { end: 2 });
    t.same(troubles, ['the journal cannot be written: what ends is kept in memory until it can']);
    journal.delete('k', 'new 1');
    t.notOk(journal.all('k').has('new 1'));
    t.throws(() => journal.put('k', 'later', {}), { code: 'EFBIG' }, 'nothing overtakes it');
    t.match(journal.trouble(), { code: 'EFBIG' });

    limitFiles('unlimited');
    journal.put('k', 'later', { n: 3 });
    journal.close();
    const again = Journal.open(path);
    t.match(again.all('k').get('old'), { end: 2 });
    t.notOk(again.all('k').has('new 0'));
    t.notOk(again.all('k').has('new 1'));
    t.same(again.all('k').get('later'), { n: 3 });
    again.close();
  },
);

t.test('a journal that cannot be compacted is opened and goes on, and leaves no file behind', async (t) => {
  t.teardown(() => limitFiles('unlimited'));
  const path = temporary(t);
  const before = Journal.open(path);
  before.put('k', '1', { n: 1 });
  before.put('k', '2', { n: 2 });
  before.close();
  const damaged = readFileSync(path);
  // A bit of the second entry: the zeros behind it are still the journal's.
  damaged[damaged.indexOf('"n":2')] = 0;
  writeFileSync(path, damaged.subarray(0, 4096));
  limitFiles(4096);
  const troubles: string[] = [];
  const journal = Journal.open(path, (_error, what) => void troubles.push(what));
  t.same(troubles, ['the journal is not compacted but goes on as it is']);
  t.same(readdirSync(dirname(path)), ['journal']);
  journal.change('k', '1', { n: 3 }, { n: 3 });
  journal.close();
  limitFiles('unlimited');
  const again = Journal.open(path);
  t.same([...again.all('k')], [['1', { n: 3 }]]);
  again.close();
});

t.test('appending after a torn write starts from the last whole entry', async (t) => {
  const path = temporary(t);
  writeFileSync(path, Buffer.concat([encodeEntry({ kind: 'k', id: '1', value: { n: 1 } }), Buffer.from([9, 0, 0])]));
  const journal = Journal.open(path);
  journal.put('k', '2', { n: 2 });
  journal.close();
  t.same(
    decodeEntries(readFileSync(path)).entries.map((entry) => entry.id),
    ['format', '1', '2'],
  );
});

t.test('a journal says its format; those from before there was one are taken over', async (t) => {
  const path = temporary(t);
  writeFileSync(path, encodeEntry({ kind: 'k', id: '1', value: { n: 1 } }));
  const journal = Journal.open(path);
  t.same([...journal.all('k')], [['1', { n: 1 }]]);
  journal.close();
  const [first, ...others] = decodeEntries(readFileSync(path)).entries;
  t.same(first, { kind: 'journal', id: 'format', value: { format: 1, writer: VERSION } });
  t.same(others, [{ kind: 'k', id: '1', value: { n: 1 } }]);
});

t.test('what this daemon would misread is left as it is, and its version is named', async (t) => {
  const path = temporary(t);
  const format = encodeEntry({ kind: 'journal', id: 'format', value: { format: 2, writer: '9.8.7', more: true } });
  const cases: Array<[Buffer, RegExp]> = [
    [Buffer.concat([format, Buffer.from('whatever follows')]), /^of format 2, written by jangada 9\.8\.7, .*journal;/],
    [Buffer.from('SQLite format 3'), /^not a journal that jangada .* knows, or damaged/],
    [Buffer.concat([Buffer.alloc(4096), Buffer.from('x')]), /^not a journal/],
  ];
  for (const [data, message] of cases) {
    writeFileSync(path, data);
    t.throws(() => Journal.open(path), { code: status.FAILED_PRECONDITION, message });
    t.ok(readFileSync(path).equals(data));
  }
});

t.test('what an object of a later version has more is kept for it', async (t) => {
  const path = temporary(t);
  writeFileSync(path, encodeEntry({ kind: 'later', id: '1', value: { n: 1, more: { of: 'it' } } }));
  for (let opened = 0; opened < 2; opened++) Journal.open(path).close();
  const [, kept] = decodeEntries(readFileSync(path)).entries;
  t.same(kept, { kind: 'later', id: '1', value: { n: 1, more: { of: 'it' } } });
});

t.test('many updates do not grow the journal without bound', async (t) => {
  const path = temporary(t);
  const journal = Journal.open(path);
  const value = { text: 'x'.repeat(100_000) };
  for (let n = 0; n < 100; n++) journal.put('k', 'same', value);
  journal.close();
  t.ok(readFileSync(path).length < 5 << 20, 'compacted on the way');
});
