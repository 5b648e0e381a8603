import t from 'tap';
import { cgroupfsDriver, chooseDriver, systemdDriver } from './driver.js';
import { runtimeScope } from './slice.js';

const ID = 'c'.repeat(64);

t.test('plain directories', async (t) => {
  const driver = cgroupfsDriver();
  t.equal(driver.podCgroup('', 's1'), '/jangada/s1', 'one of its own');
  t.equal(driver.podCgroup('/kubepods/burstable/pod1', 's1'), '/kubepods/burstable/pod1');
  t.equal(driver.podCgroup('/test.slice', 's1'), '/test.slice', 'a name like any other');
  t.equal(driver.podCgroup('//a//b/', 's1'), '/a/b');
  t.equal(driver.containerCgroup('/jangada/s1', 'c1'), '/jangada/s1/c1');
  t.equal(cgroupfsDriver('/other').podCgroup('', 's1'), '/other/s1');
  t.throws(() => cgroupfsDriver('other.slice'), { code: 3 });
});

t.test('slices and scopes', async (t) => {
  const driver = systemdDriver('', 'cri-containerd');
  const pod = '/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice';
  t.equal(driver.podCgroup(pod, 's1'), pod, 'as the kubelet writes it');
  t.equal(driver.podCgroup('kubepods-besteffort-pod1_2.slice', 's1'), pod, 'the last part says it all');
  t.equal(driver.podCgroup('/test.slice', 's1'), '/test.slice', 'as critest writes it');
  t.equal(driver.podCgroup('', 's1'), '/jangada.slice/jangada-s1.slice', 'one of its own');
  t.equal(driver.containerCgroup(pod, ID), `${pod}/cri-containerd-${ID}.scope`);
  t.equal(driver.containerCgroup('/jangada/s1', ID), `/jangada/s1/${ID}`, 'a pod that is older than the driver');
  for (const prefix of ['cri-containerd', 'jangada'])
    t.equal(
      runtimeScope(`${pod}/${prefix}-${ID}.scope`),
      `kubepods-besteffort-pod1_2.slice:${prefix}:${ID}`,
      'to a runtime, also by the name of older versions',
    );
  t.equal(runtimeScope(`/jangada/s1/${ID}`), undefined);
  t.equal(systemdDriver('/docker/x', 'p', 'a-b.slice').podCgroup('', 's1'), '/docker/x/a.slice/a-b.slice/a-b-s1.slice');
});

t.test('what is no slice', async (t) => {
  for (const parent of [
    '/kubepods/pod1',
    'x',
    '.slice',
    'a--b.slice',
    '-a.slice',
    'a-.slice',
    '-.slice',
    'a b.slice',
    'a.slice/b',
  ])
    t.throws(
      () => systemdDriver('', 'cri-containerd').podCgroup(parent, 's'),
      { code: 3, message: /^not a systemd slice/ },
      parent,
    );
  t.throws(() => systemdDriver('', 'cri-containerd').podCgroup(`${'a'.repeat(256)}.slice`, 's'), { code: 3 });
  t.throws(() => systemdDriver('', 'p', '/jangada'), { code: 3, message: /default_cgroup_parent/ });
});

t.test('which one', async (t) => {
  t.equal(chooseDriver('auto', 'v2', true), 'systemd');
  t.equal(chooseDriver('auto', 'v2', false), 'cgroupfs');
  t.equal(chooseDriver('auto', 'hybrid', true), 'cgroupfs');
  t.equal(chooseDriver('cgroupfs', 'v2', true), 'cgroupfs');
  t.equal(chooseDriver('systemd', 'v2', true), 'systemd');
  t.throws(() => chooseDriver('systemd', 'v2', false), { message: /^systemd is not the service manager here/ });
  t.throws(() => chooseDriver('systemd', 'v1', true), { message: /^cgroup v1 host/ });
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
    t.throws(() => cgroupfsDriver().podCgroup(path, 's'), { code: 3, message }, JSON.stringify(path));
});
