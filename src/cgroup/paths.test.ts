import { existsSync, mkdirSync } from 'node:fs';
import t from 'tap';
import { v1Layout, v2Layout } from './layouts.fixture.js';
import { cgroupDirectories, containerCgroup, removeCgroup, removeSandboxCgroup, sandboxCgroup } from './paths.js';

t.test('where containers live', async (t) => {
  t.equal(containerCgroup(sandboxCgroup('/jangada', '', 's1'), 'c1'), '/jangada/s1/c1');
  t.equal(
    containerCgroup(sandboxCgroup('/jangada', '/kubepods/burstable/pod1', 's1'), 'c1'),
    '/kubepods/burstable/pod1/c1',
  );
  t.equal(sandboxCgroup('/jangada', '/test.slice', 's1'), '/test.slice');
  t.equal(sandboxCgroup('/jangada', '//a//b/', 's1'), '/a/b');
});

t.test('cgroup parents that are refused', async (t) => {
  const cases: Array<[string, RegExp]> = [
    ['kubepods-pod1.slice', /^systemd slice without a systemd cgroup driver/],
    ['system.slice:jangada:x', /^systemd slice/],
    ['kubepods', /^not an absolute path/],
    ['/a/../b', /^relative component/],
    ['/..', /^relative component/],
    ['/./a', /^relative component/],
    ['/', /^the hierarchy's root/],
    ['///', /^the hierarchy's root/],
    ['/a\nb', /^character/],
    ['/a\0', /^character/],
    [`/${'a'.repeat(256)}`, /^too deep or too long/],
    ['/a'.repeat(33), /^too deep or too long/],
  ];
  for (const [path, message] of cases)
    t.throws(() => sandboxCgroup('/jangada', path, 's'), { code: 3, message }, JSON.stringify(path));
});

t.test("a sandbox's own cgroup is removed in every hierarchy", async (t) => {
  const root = t.testdir({});
  const layout = v1Layout(root);
  for (const directory of cgroupDirectories(layout, '/jangada/s1')) mkdirSync(directory, { recursive: true });
  removeSandboxCgroup(layout, '/jangada', '/jangada/s1', 's1');
  t.same(cgroupDirectories(layout, '/jangada/s1').filter(existsSync), []);
  t.ok(existsSync(`${root}/memory/jangada`));
  t.doesNotThrow(() => removeSandboxCgroup(layout, '/jangada', '/jangada/s1', 's1'), 'again');
  removeCgroup(layout, '/jangada');
  t.same(cgroupDirectories(layout, '/jangada').filter(existsSync), []);
});

t.test('a cgroup that still holds something is an error', async (t) => {
  const root = t.testdir({ jangada: { s1: { c1: {} } } });
  t.throws(() => removeSandboxCgroup(v2Layout(root), '/jangada', '/jangada/s1', 's1'), { code: 'ENOTEMPTY' });
});

t.test("the kubelet's cgroup is left to the kubelet", async (t) => {
  const root = t.testdir({ kubepods: { pod1: {} } });
  removeSandboxCgroup(v2Layout(root), '/jangada', '/kubepods/pod1', 's1');
  t.ok(existsSync(`${root}/kubepods/pod1`));
});
