// Calls every function with good and bad arguments; run under ASan and UBSan by `make test`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';

const addon = createRequire(import.meta.url)(process.argv[2]);
const bad = [undefined, null, 0, -1, 1.5, 2 ** 40, Number.NaN, '', 'x'.repeat(1 << 20), [], [1], {}, () => 0, Symbol('s'), 1n];

assert.deepEqual([...addon.resolveSyscalls('SCMP_ARCH_X86_64', ['read', 'openat2'])], [0, 437]);
assert.ok(addon.resolveSyscalls('SCMP_ARCH_ARM', ['\0', 'é'.repeat(1000), 'x'.repeat(1 << 20)]).every((number) => number < 0));

const sleeper = spawn('sleep', ['60']);
const handle = addon.openProcess(sleeper.pid);
assert.equal(await addon.killProcess(handle, 10_000), true);
assert.equal(await addon.killProcess(handle, 0), true, 'one that has ended is no error');
closeSync(handle);
assert.equal(addon.openProcess(2 ** 22 + 1), -1);
await assert.rejects(addon.killProcess(0, 0), /pidfd_send_signal/);

let refused = 0;
for (const name of ['resolveSyscalls', 'notify', 'tryLock', 'isBeingWritten'])
  for (const first of bad)
    for (const second of bad) {
      try {
        addon[name](first, second);
      } catch (error) {
        assert.ok(error instanceof Error);
        refused++;
      }
    }
assert.equal(refused, 4 * bad.length ** 2);
assert.throws(() => addon.notify('/nonexistent/socket', 'x'), { errno: 2 });
assert.throws(() => addon.notify(`/${'x'.repeat(107)}`, 'x'), TypeError);
console.log(`ok - ${refused} bad calls refused`);
