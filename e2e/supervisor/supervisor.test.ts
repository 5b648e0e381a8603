import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PlanOp } from '../../src/gen/plan.js';
import t, { type Test } from 'tap';
import { readExitRecords } from '../../src/supervisor/exit-record.js';
import { PATIENCE, until } from '../harness/wait.js';
import { TestPod } from './pod.js';

async function pod(t: Test): Promise<TestPod> {
  const made = await TestPod.start();
  t.teardown(() => made.end());
  return made;
}

const statusOf = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8');

/** A zombie has ended: who reaps the orphans of a test is not its business. It may be gone while it is looked at. */
const running = (pid: number, name = ''): boolean => {
  try {
    const status = statusOf(pid);
    return status.includes(name) && !/State:\t[ZX]/.test(status);
  } catch {
    return false;
  }
};

const isInit = (pid: number): boolean => running(pid, 'jangada-init');

t.test('a container writes its log, ends, is recorded and removed', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  const exit = await p.run('box', 'echo hello; hostname; echo err >&2; exit 3');
  t.match(exit, { id: 'box', exitCode: 3, oom: false, message: '' });
  t.equal(p.log('box'), 'stdout F hello\nstdout F pod-host\nstderr F err\n');
  t.match((await readExitRecords(p.directory)).get('box'), { exitCode: 3, exitedAt: exit.exitedAt });
  t.match((await p.supervisor.list()).containers, [{ id: 'box', state: 'exited', pid: 0, exitCode: 3 }]);
  await p.supervisor.remove('box');
  t.same((await p.supervisor.list()).containers, []);
  t.equal((await readExitRecords(p.directory)).size, 0, 'its record is gone too');
  await t.resolves(p.supervisor.remove('box'), 'an unknown container is removed already');
});

t.test('a command that is missing is an error of Start, and a recorded exit', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create('box', ['/bin/nope']);
  await t.rejects(p.supervisor.start('box'), {
    code: 'ENOENT',
    step: 'exec',
    message: /no such file or directory.*\/bin\/nope/,
  });
  t.match(await p.exited('box'), { exitCode: 128, message: /no such file/ });
  await t.resolves(p.supervisor.kill('box'));
});

t.test('a failed creation leaves nothing', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  const bind: PlanOp = {
    op: 'bind',
    source: '/nonexistent',
    destination: '/data',
    flags: [],
    recursiveReadonly: false,
    propagation: 'private',
  };
  await t.rejects(p.create('box', ['/bin/true'], [bind]), { code: 'ENOENT' });
  t.same((await p.supervisor.list()).containers, []);
  t.notOk(existsSync(p.logPath('box')), 'no log');
  const request = { id: 'box', logPath: '', stdin: false, stdinOnce: false, plan: Buffer.from('garbage') };
  await t.rejects(p.supervisor.create(request), { code: 'EINVAL' });
  t.equal((await p.run('box', 'exit 0')).exitCode, 0, 'the id can be used again');
});

t.test('CVE-2022-31030: an exec is cut at the capture limit and read to its end', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create('box', ['/bin/sleep', '1000']);
  await p.supervisor.start('box');
  const { exitCode, stdout, stderr } = await p.exec('box', ['/bin/sh', '-c', 'seq 1 3000000; echo end >&2'], {
    timeoutMs: 30_000 * PATIENCE,
    captureLimit: 1_000_000,
  });
  t.same(
    { exitCode, size: stdout.length, stderr: stderr.toString().endsWith('end\n') },
    { exitCode: 0, size: 1_000_000, stderr: true },
  );
  t.ok(Number(/VmRSS:\s+(\d+)/.exec(statusOf(p.pid))?.[1]) < 2048, 'the supervisor stays small');
});

t.test('CVE-2026-53495: an exec ends with its process, whoever holds its pipes', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create('box', ['/bin/sleep', '1000']);
  await p.supervisor.start('box');
  const before = readdirSync(`/proc/${p.pid}/fd`).length;
  const held = await p.exec('box', ['/bin/sh', '-c', 'setsid sleep 1000 & echo out; exit 5']);
  t.match({ ...held, stdout: held.stdout.toString() }, { exitCode: 5, timedOut: false, stdout: 'out\n' });
  const late = await p.exec('box', ['/bin/sh', '-c', 'echo out; sleep 1000 & wait'], {
    timeoutMs: 100 * PATIENCE,
    captureLimit: 100,
  });
  t.match({ ...late, stdout: late.stdout.toString() }, { exitCode: 137, timedOut: true, stdout: 'out\n' });
  t.equal(readdirSync(`/proc/${p.pid}/fd`).length, before, 'no descriptor is left');
});

t.test('a daemon that goes takes nothing with it; the next one finds everything', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create(
    'box',
    ['/bin/sh', '-c', 'while [ ! -e /host/go ]; do sleep 0.05; done; seq 1 20000; exit 7'],
    [p.shared()],
  );
  await p.supervisor.start('box');
  const orphan = p.exec('box', ['/bin/sleep', '1000']).catch((error) => error.code);
  p.supervisor.close();
  t.equal(await orphan, 'ECONNRESET');
  await p.spawner.close();
  writeFileSync(join(p.directory, 'shared/go'), '');
  await p.connect();
  const { containers } = await p.supervisor.list();
  if (containers[0]?.state !== 'exited') await p.exited('box');
  t.equal((await readExitRecords(p.directory)).get('box')?.exitCode, 7);
  t.equal(p.log('box').split('\n').length, 20001, 'the log has no gap');
});

t.test('a newer connection replaces the older one', async (t) => {
  const p = await pod(t);
  const first = p.supervisor;
  const closed = p.closed;
  await p.connect();
  await closed;
  await t.rejects(first.list(), { code: 'ECONNRESET' });
  t.same(await p.supervisor.list(), { sandbox: false, podInitPid: 0, containers: [] });
});

t.test('a peer that sends garbage is answered and cut off, and changes nothing', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create('box', ['/bin/sleep', '1000']);
  const socket = createConnection(join(p.directory, 'supervisor.sock'));
  await once(socket, 'connect');
  socket.write(Buffer.alloc(64, 0xff));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.equal(answer.readUInt16LE(4), 0xffff);
  await once(socket, 'close');
  await p.connect();
  t.match((await p.supervisor.list()).containers, [{ id: 'box', state: 'created' }]);
});

t.test('the log follows a rotation and never a symlink', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create(
    'box',
    ['/bin/sh', '-c', 'echo one; while [ ! -e /host/go ]; do sleep 0.05; done; echo two; sleep 1000'],
    [p.shared()],
  );
  await p.supervisor.start('box');
  await p.exec('box', ['/bin/true']);
  renameSync(p.logPath('box'), `${p.logPath('box')}.1`);
  await p.supervisor.reopenLog('box');
  t.equal(p.log('box'), '', 'a new file is there when the answer is');
  const canary = join(p.directory, 'canary');
  writeFileSync(canary, '');
  rmSync(p.logPath('box'));
  symlinkSync(canary, p.logPath('box'));
  await t.rejects(p.supervisor.reopenLog('box'), { code: 'ELOOP' });
  writeFileSync(join(p.directory, 'shared/go'), '');
  await p.supervisor.kill('box');
  await p.exited('box');
  t.equal(readFileSync(canary, 'utf8'), '');
});

t.test('CVE-2022-0532, CVE-2022-0811: sysctls are written in the namespaces of the pod or not at all', async (t) => {
  const p = await pod(t);
  const host = readFileSync('/proc/sys/kernel/msgmax', 'utf8');
  const set = (key: string, value: string, change: Parameters<typeof p.sandbox>[0] = {}) =>
    p.sandbox({ sysctls: [`${key}=${value}`], ...change });
  await t.rejects(set('net.ipv4.ip_forward', '1', { ownNetwork: false }), { code: 'EPERM', step: 'sysctl' });
  await t.rejects(set('kernel.msgmax', '9999', { ownIpc: false }), { code: 'EPERM', step: 'sysctl' });
  await t.rejects(set('kernel.shm_rmid_forced', '1\nkernel.core_pattern=|/x'), { code: 'EINVAL' });
  await t.rejects(set('kernel.core_pattern', '|/x'), { code: 'EPERM' });
  await set('kernel.msgmax', '9999');
  const run = await p.run('box', 'cat /proc/sys/kernel/msgmax');
  t.equal(run.exitCode, 0);
  t.equal(p.log('box'), 'stdout F 9999\n');
  t.equal(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), host);
});

t.test('the network namespace is pinned where it was asked for, and unpinned at the end', async (t) => {
  const p = await pod(t);
  mkdirSync(join(p.directory, 'netns'));
  const netnsPath = join(p.directory, 'netns/pod');
  writeFileSync(join(p.directory, 'netns/there'), '');
  await t.rejects(p.sandbox({ netnsPath: join(p.directory, 'netns/there') }), { code: 'EEXIST' });
  t.equal(readFileSync(join(p.directory, 'netns/there'), 'utf8'), '', 'a file that was there stays as it was');
  await p.sandbox({ netnsPath });
  t.not(readlinkSync(`/proc/${p.pid}/ns/net`), readlinkSync('/proc/self/ns/net'));
  t.match(readFileSync('/proc/self/mountinfo', 'utf8'), netnsPath);
  await p.supervisor.shutdown();
  t.notOk(existsSync(netnsPath));
  t.notOk(existsSync(join(p.directory, 'supervisor.sock')));
  t.notMatch(readFileSync('/proc/self/mountinfo', 'utf8'), netnsPath);
});

t.test('a shared PID namespace has an init that can do nothing and ends with its pod', async (t) => {
  const p = await pod(t);
  const { podInitPid } = await p.sandbox({ sharedPid: true });
  const status = statusOf(podInitPid);
  t.match(status, /Name:\tjangada-init\n/);
  t.match(status, /CapPrm:\t0+\n/);
  t.match(status, /Uid:\t65535\t65535\t65535\t65535\n/);
  t.match(readdirSync(`/proc/${podInitPid}/fd`), ['0']);
  t.notOk(existsSync(`/proc/${podInitPid}/root/etc`), 'the host is not in its sight');
  const pod_ = { op: 'namespaces', pid: 'pod', hostCgroup: true } as const;
  await p.create('a', ['/bin/sh', '-c', 'sleep 1000 & exit 0'], [pod_]);
  await p.supervisor.start('a');
  t.equal((await p.exited('a')).exitCode, 0);
  await p.create('b', ['/bin/sleep', '1000'], [pod_]);
  await p.supervisor.start('b');
  t.match((await p.exec('b', ['/bin/ps', '-o', 'pid,args'])).stdout.toString(), /^ +1 jangada-init$/m);
  await p.supervisor.shutdown();
  t.notOk(isInit(podInitPid));
});

t.test('a pod without a shared PID namespace gets one when a container asks for it', async (t) => {
  const p = await pod(t);
  await t.rejects(p.supervisor.sharePid(new Uint8Array()), { code: 'ENXIO' }, 'not before SANDBOX');
  t.same(await p.sandbox(), { podInitPid: 0 });
  const init = await p.supervisor.sharePid(new Uint8Array());
  t.match(statusOf(init), /^NSpid:\t\d+\t1$/m);
  t.equal(await p.supervisor.sharePid(new Uint8Array()), init, 'one');
  t.equal((await p.supervisor.list()).podInitPid, init);
  await p.supervisor.shutdown();
  t.notOk(isInit(init), 'it ends with its pod');
});

t.test('CVE-2019-5736: the program that runs is a sealed copy', async (t) => {
  const p = await pod(t);
  for (const pid of [p.pid, p.spawner.pid]) t.match(readlinkSync(`/proc/${pid}/exe`), /^\/memfd:jangada-pod/);
  t.throws(() => writeFileSync(`/proc/${p.pid}/exe`, 'x'), 'which nobody can write to, not even the host');
  t.same(readdirSync(`/proc/${p.pid}/cwd`).sort(), readdirSync('/').sort());
  t.match(statusOf(p.pid), /Seccomp/);
});

t.test('host programs run with their own environment, input, bound and deadline', async (t) => {
  const p = await pod(t);
  const base = { env: { A: 'b c' }, stdin: '', timeoutMs: 10_000 * PATIENCE, maxOutput: 1000 };
  const sh = (script: string, change = {}) => p.spawner.run({ ...base, argv: ['/bin/sh', '-c', script], ...change });
  const env = await sh('/usr/bin/env; pwd; cat; echo err >&2; exit 3', { stdin: 'given' });
  t.match(
    { ...env, stdout: String(env.stdout), stderr: String(env.stderr) },
    { code: 3, signal: null, stderr: 'err\n', timedOut: false },
  );
  t.match(String(env.stdout), /A=b c\n/);
  t.match(String(env.stdout), /\/\ngiven$/);
  const much = await sh('head -c 10000000 /dev/zero');
  t.match(
    { code: much.code, size: much.stdout.length },
    { code: 0, size: 1000 },
    'output past the limit is read and thrown away',
  );
  const late = await sh('sleep 1000 & sleep 1000', { timeoutMs: 100 });
  t.match(late, { code: null, signal: 9, timedOut: true });
  await t.rejects(p.spawner.run({ ...base, argv: ['/nonexistent/plugin'] }), { code: 'ENOENT' });
  await t.rejects(p.spawner.run({ ...base, argv: ['sh'] }), /not an absolute path: "sh"/, 'no search in PATH');
  const slow = sh('sleep 0.5; echo slow');
  const quick = await sh('echo quick');
  t.equal(String(quick.stdout), 'quick\n', 'several at once');
  t.equal(String((await slow).stdout), 'slow\n');
});

t.test('CVE-2020-10749: a pod does not take a neighbour for its router', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  const run = await p.run('box', 'for i in all default; do cat /proc/sys/net/ipv6/conf/$i/accept_ra; done; echo end');
  t.equal(run.exitCode, 0);
  const values = p.log('box').match(/(?<=F )\d+/g) ?? [];
  if (existsSync('/proc/sys/net/ipv6')) t.same([...new Set(values)], ['0']);
  await p.supervisor.remove('box');
});

t.test('SHUTDOWN while a container is being created ends both', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  // So much to make that it is still being made when the second request arrives.
  const many = Array.from({ length: 500 }, (_, i) => ({ ...p.shared(), destination: `/many/${i}` }) as PlanOp);
  const creating = p.create('box', ['/bin/sleep', '1000'], many).catch((error: { code: string }) => error.code);
  await p.supervisor.shutdown();
  t.not(typeof (await creating), 'number', 'its creation has failed');
  t.notOk(existsSync(join(p.directory, 'supervisor.sock')));
  t.notOk(existsSync(`/proc/${p.pid}/exe`) && /sleep/.test(readFileSync(`/proc/${p.pid}/cmdline`, 'utf8')));
});

t.test('a daemon that goes while a container is being created finds it', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  const creating = p.create('box', ['/bin/sleep', '1000']).catch((error: { code: string }) => error.code);
  await p.supervisor.list(); // answered in order: the request has arrived
  p.supervisor.close();
  await creating;
  await p.connect();
  const found = async () => (await p.supervisor.list()).containers.map(({ state }) => state).join();
  await until('the container', async () => (await found()) !== '');
  t.equal(await found(), 'created');
  await p.supervisor.start('box');
  t.equal(await found(), 'running', 'and goes on with it');
});

t.test('a supervisor that nobody can reach any more ends with its last container', async (t) => {
  const p = await TestPod.start();
  await p.sandbox();
  await p.create('box', ['/bin/sh', '-c', 'while [ ! -e /host/go ]; do sleep 0.05; done'], [p.shared()]);
  await p.supervisor.start('box');
  p.supervisor.close();
  rmSync(join(p.directory, 'supervisor.sock'));
  t.ok(running(p.pid), 'it stays for its container');
  writeFileSync(join(p.directory, 'shared/go'), '');
  await ended(p.pid);
  t.notOk(running(p.pid), 'and no longer');
  await p.end();
  const empty = await TestPod.start();
  empty.supervisor.close();
  rmSync(empty.directory, { recursive: true, force: true });
  await ended(empty.pid);
  t.notOk(running(empty.pid), 'an empty one ends with its directory');
  await empty.end();
});

t.test('a supervisor gets no huge pages where a node gives them to everybody; its containers do', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.run('box', 'grep THP_enabled /proc/self/status');
  t.match(p.log('box'), /THP_enabled:\t1\n/);
  const large = mappings(p.pid).filter(({ kib, file }) => kib >= 2048 && file === '');
  t.ok(large.length >= 2, 'static data and the buffers of the connection');
  for (const { kib, flags } of large) t.ok(flags.includes('nh'), `${kib} KiB: ${flags.join(' ')}`);
});

t.test('a supervisor is small, and small again after many processes', async (t) => {
  const p = await pod(t);
  await p.sandbox();
  await p.create('box', ['/bin/sleep', '1000']);
  await p.supervisor.start('box');
  const many = { timeoutMs: 30_000 * PATIENCE, captureLimit: 100_000 };
  const run = () => p.exec('box', ['/bin/sh', '-c', 'seq 1 20000'], many);
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 20 }, run));
  await until('its memory to be given back', async () => proportional(p.pid) <= 256);
  t.ok(proportional(p.pid) <= 256, `${proportional(p.pid)} KiB with one container`);
});

const ended = (pid: number): Promise<true> => until(`end of process ${pid}`, async () => !running(pid));

/** KiB of memory that are this process's share. */
const proportional = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);

/** What /proc/PID/smaps tells of each mapping. */
const mappings = (pid: number): Array<{ kib: number; file: string; flags: string[] }> =>
  readFileSync(`/proc/${pid}/smaps`, 'utf8')
    .split(/\n(?=[\da-f]+-[\da-f]+ )/)
    .map((text) => ({
      file: /^\S+ \S+ \S+ \S+ \S+ *(.*)/.exec(text)?.[1] ?? '',
      kib: Number(/^Size:\s+(\d+)/m.exec(text)?.[1]),
      flags: (/^VmFlags: (.*)/m.exec(text)?.[1] ?? '').trim().split(' '),
    }));
