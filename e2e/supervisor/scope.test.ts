import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import type { PlanOp } from '../../src/gen/plan.js';
import { isUnified } from '../harness/cgroup.js';
import { until } from '../harness/wait.js';
import { TestPod } from './pod.js';

/** A pod, and a cgroup such as systemd makes for a container; the test moves the lent process into it, as systemd does. */
const podWithScope = async (t: Test) => {
  const pod = await TestPod.start();
  t.teardown(() => pod.end());
  await pod.sandbox();
  const root = isUnified ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
  const directory = join(root, basename(pod.directory));
  mkdirSync(directory);
  t.teardown(() => rmdirSync(directory));
  const scope: PlanOp = { op: 'cgroup-dir', path: directory, version: 'v2', role: 'scope' };
  return { pod, scope, directory };
};
const processesIn = (directory: string) =>
  readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);

t.test('a process is lent until the container is born', async (t) => {
  const { pod, scope, directory } = await podWithScope(t);
  const lent = await pod.supervisor.hold('box');
  await until('its name', async () => readFileSync(`/proc/${lent}/cmdline`, 'utf8').startsWith('jangada-placeholder'));
  await t.rejects(pod.supervisor.hold('box'), { code: 'EEXIST' }, 'one of each container');
  writeFileSync(join(directory, 'cgroup.procs'), String(lent));
  const pid = await pod.create('box', ['/bin/sleep', '1000'], [scope]);
  await until('the lent process to end', async () => !existsSync(`/proc/${lent}`));
  t.same(processesIn(directory), [pid], 'alone in its scope');
  await pod.supervisor.start('box');
  await pod.supervisor.kill('box');
  t.match(await pod.exited('box'), { exitCode: 137, oom: false });
  t.ok(existsSync(directory), 'whoever made the scope removes it');
  t.same(processesIn(directory), []);
});

t.test('it ends when it is released, when the creation fails, and with the daemon', async (t) => {
  const { pod, scope } = await podWithScope(t);
  const gone = (pid: number) => until('the lent process to end', async () => !existsSync(`/proc/${pid}`));
  const released = await pod.supervisor.hold('box');
  await pod.supervisor.release('box');
  await gone(released);
  await t.resolves(pod.supervisor.release('box'), 'again');
  const unused = await pod.supervisor.hold('box');
  await t.rejects(pod.create('box', ['/bin/true'], [{ ...scope, path: '/sys/fs/cgroup/nowhere' }]), {
    code: 'ENOENT',
    message: /^no such scope/,
  });
  await gone(unused);
  const orphan = await pod.supervisor.hold('box');
  pod.supervisor.close();
  await gone(orphan);
});

t.test('a pod without any is not the worse for it', async (t) => {
  const { pod, scope, directory } = await podWithScope(t);
  const pid = await pod.create('box', ['/bin/sleep', '1000'], [scope]);
  t.same(processesIn(directory), [pid]);
  await pod.supervisor.kill('box');
  await pod.exited('box');
});
