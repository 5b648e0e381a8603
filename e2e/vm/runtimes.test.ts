import { status } from '@grpc/grpc-js';
import t from 'tap';
import { Pod } from '../harness/pod.js';
import { until } from '../harness/wait.js';
import { VmNode } from './node.js';

// External runtimes on a node of systemd's: their containers are scopes like all others.
const MIB = 1 << 20;
const node = await VmNode.start(t);
await node.run(`mkdir -p /etc/jangada/config.d && cat > /etc/jangada/config.d/runtimes.toml <<'END'
[runtimes.runc]
path = "/usr/sbin/runc"
[runtimes.crun]
path = "/usr/bin/crun"
END
systemctl restart jangada`);

const scopeOf = (id: string) => `cri-containerd-${id}.scope`;
const show = (id: string, name: string) =>
  node.run(`systemctl show --value -p ${name} ${scopeOf(id)}`).then((text) => text.trim());
const file = async (id: string, name: string) => {
  const path = (await node.run(`sed s/^0::// /proc/${await node.pidOf(id)}/cgroup`)).trim();
  return (await node.run(`cat /sys/fs/cgroup${path}/${name}`)).trim();
};
const SLEEP = ['/bin/sh', '-c', 'sleep 3600'];

t.test('the driver is systemd', async (t) => {
  t.match(await node.cri.runtimeConfig({}), { linux: { cgroupDriver: 'SYSTEMD' } });
});

for (const handler of ['native', 'runc', 'crun']) {
  t.test(`${handler}: a container is a scope in the slice of its pod, with its limits`, async (t) => {
    const linux = { cgroupParent: '/jangadatest.slice' };
    const pod = await Pod.run(node, { linux }, handler);
    const resources = {
      memoryLimitInBytes: String(64 * MIB),
      cpuShares: '512',
      cpuQuota: '12345',
      cpuPeriod: '100000',
    };
    const id = await pod.create(node.busybox, { command: SLEEP, resources });
    const limits = async (memory: number) => {
      t.equal(await show(id, 'MemoryMax'), String(memory), 'systemd knows it');
      t.equal(await file(id, 'memory.max'), String(memory), 'the kernel, too');
      t.equal(await file(id, 'cpu.weight'), '59');
      t.equal(await file(id, 'cpu.max'), '12345 100000', 'exactly as asked for');
    };
    await limits(64 * MIB);
    await node.cri.startContainer({ containerId: id });
    t.equal(await show(id, 'Slice'), 'jangadatest.slice');
    t.equal(await show(id, 'Delegate'), 'yes');
    t.match(
      await node.run(`cat /proc/${await node.pidOf(id)}/cgroup`),
      new RegExp(`/jangadatest.slice/${scopeOf(id)}\n$`),
    );
    t.equal((await pod.exec(id, 'cat', '/sys/fs/cgroup/memory.max')).stdout, `${64 * MIB}\n`, 'the container sees it');
    t.equal((await pod.exec(id, 'cat', '/proc/self/cgroup')).stdout, '0::/\n', 'where an exec is, as well');
    await node.run('systemctl daemon-reload');
    await until('limits after a reload', async () => (await file(id, 'cpu.max')) === '12345 100000');
    await node.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(96 * MIB) } });
    await limits(96 * MIB);
    const device = 'mknod /tmp/vda b 254 0 && head -c 1 /tmp/vda';
    t.match((await pod.exec(id, 'sh', '-c', device)).stderr, /not permitted/, 'devices are guarded');
    t.equal((await pod.exec(id, 'sh', '-c', 'head -c 1 /dev/zero | wc -c')).stdout, '1\n', 'but for its own');
    await node.run('systemctl restart jangada');
    t.equal((await pod.exec(id, 'echo', 'here')).stdout, 'here\n', 'after a restart of the daemon');
    await node.cri.stopContainer({ containerId: id, timeout: 0 });
    t.match(await pod.status(id), { exitCode: 137 });
    await until('the scope to be gone', async () => (await show(id, 'ActiveState')) !== 'active');
    const hungry = await pod.start(node.busybox, {
      command: ['/memory', '1000'],
      resources: { memoryLimitInBytes: String(32 * MIB) },
    });
    t.match(await pod.exited(hungry), { reason: 'OOMKilled', exitCode: 137 });
    const script = ['sh', '-c', "trap 'exit 42' TERM; while :; do sleep 0.1; done"];
    const polite = await pod.start(node.busybox, { command: script });
    await until('its trap', async () =>
      /SigCgt:\t[0-9a-f]{12}[4-7c-f]/.test(await node.run(`grep SigCgt /proc/${await node.pidOf(polite)}/status`)),
    );
    await node.cri.stopContainer({ containerId: polite, timeout: 600 });
    t.match(await pod.status(polite), { exitCode: 42 });
    await t.rejects(pod.start(node.busybox, { command: ['/no/such/program'] }), { code: status.INVALID_ARGUMENT });
    await pod.remove();
  });
}

t.test('nothing is left', async (t) => {
  await until(
    'no scope',
    async () => (await node.run('systemctl list-units --all --plain --no-legend "cri-containerd-*.scope"')) === '',
  );
  t.equal((await node.run('find /sys/fs/cgroup -type d -name "cri-containerd-*.scope"')).trim(), '');
  t.equal((await node.run('find /run/runc /run/crun -mindepth 1 2>/dev/null || true')).trim(), '');
});
