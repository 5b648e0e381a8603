import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadAddon } from './addon.js';

const addon = loadAddon();

t.test('a wrong argument is an exception, never a crash', async (t) => {
  const untyped = addon as unknown as Record<'resolveSyscalls', (...args: unknown[]) => unknown>;
  for (const args of [[], ['SCMP_ARCH_X86'], ['SCMP_ARCH_X86', [1]], ['SCMP_ARCH_NONE', []], [1, []]])
    t.throws(() => untyped.resolveSyscalls(...args), TypeError);
});

t.test('what the kernel knows', async (t) => {
  t.same(addon.missingSyscalls(), []);
  t.equal(addon.knowsFileSystem('proc'), true);
  t.throws(() => (addon.knowsFileSystem as (type: unknown) => unknown)(1), TypeError);
});

t.test('notify sends one datagram, or says why not', async (t) => {
  t.throws(() => addon.notify('/nonexistent/socket', 'READY=1'), { message: /^sendto: No such file/ });
  t.throws(() => addon.notify('@jangada-nobody-listens', 'READY=1'), { message: /^sendto: Connection refused/ });
  for (const bad of ['', '/', 'relative', `/${'x'.repeat(107)}`]) t.throws(() => addon.notify(bad, ''), TypeError, bad);
});

t.test('system calls by name', async (t) => {
  const names = ['read', 'openat2', 'no_such_call', ''];
  t.same([...addon.resolveSyscalls('SCMP_ARCH_X86_64', names)].slice(0, 2), [0, 437]);
  t.ok([...addon.resolveSyscalls('SCMP_ARCH_X86_64', names)].slice(2).every((number) => number < 0));
  t.same([...addon.resolveSyscalls('SCMP_ARCH_AARCH64', ['read'])], [63]);
});

t.test('a directory is marked as the top of unrelated ones where the file system knows that', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-addon-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const first = addon.markTopDirectory(directory);
  t.equal(addon.markTopDirectory(directory), first, 'again');
  t.equal(addon.markTopDirectory('/proc/self'), false, 'procfs has no such mark');
  t.throws(() => addon.markTopDirectory(join(directory, 'none')), { message: /No such file/ });
  t.throws(() => (addon.markTopDirectory as (path: unknown) => unknown)(1), TypeError);
});
