import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { WriteBack } from './write-back.js';

/** A program that notes each call, waits for the gate to be opened, and ends with `code`. */
const open = (test: { teardown: (f: () => void) => void }, code = 0) => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-write-back-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  const [program, calls, gate] = ['program', 'calls', 'gate'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(program, `#!/bin/sh\necho "$1 $2" >> ${calls}\nuntil [ -e ${gate} ]; do :; done\nexit ${code}\n`);
  chmodSync(program, 0o755);
  return {
    writeBack: new WriteBack([program], '/layers', pino({ level: 'silent' })),
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8') : ''),
    open: () => appendFileSync(gate, ''),
  };
};

t.test('what comes during a write-back is covered by one more, and settling waits for it', async (t) => {
  const { writeBack, calls, open: openGate } = open(t);
  writeBack.request();
  for (let i = 0; i < 5; i++) writeBack.request();
  openGate();
  t.equal(await writeBack.settle(), true);
  t.equal(calls(), 'sync /layers\nsync /layers\n');
});

t.test('nothing asked for is settled at once; a failure is told', async (t) => {
  const { writeBack, calls } = open(t);
  t.equal(await writeBack.settle(), true);
  t.equal(calls(), '');
  const failing = open(t, 2);
  failing.open();
  failing.writeBack.request();
  t.equal(await failing.writeBack.settle(), false);
});
