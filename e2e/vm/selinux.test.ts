import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { LinuxContainerSecurityContext } from '../../src/gen/runtime/v1/LinuxContainerSecurityContext.js';
import { Pod } from '../harness/pod.js';
import { VmNode } from './node.js';
import { compilePolicy } from './selinux-policy.js';

// A node whose kernel enforces SELinux, with a policy that confines containers and nothing else.
const node = await VmNode.start(t, 'selinux');
const policy = (await compilePolicy()).toString('base64');
await node.run(`base64 -d <<< ${policy} > /tmp/policy`);
await node.run(`set -e; mountpoint -q /sys/fs/selinux || mount -t selinuxfs selinuxfs /sys/fs/selinux
dd if=/tmp/policy of=/sys/fs/selinux/load bs=1M count=1 status=none || { dmesg | grep SELinux | tail; exit 1; }
mkdir -p /etc/selinux/small/contexts && echo SELINUXTYPE=small > /etc/selinux/config
cat > /etc/selinux/small/contexts/lxc_contexts <<'END'
process = "system_u:system_r:container_t:s0"
file = "system_u:object_r:container_file_t:s0"
END
chcon -R system_u:object_r:container_ro_file_t:s0 /var/lib/jangada/layers /var/lib/jangada/containers /var/lib/jangada/mount-points
echo 1 > /sys/fs/selinux/enforce
mkdir -p /etc/jangada/config.d && printf '[runtimes.runc]\npath = "/usr/sbin/runc"\n[runtimes.crun]\npath = "/usr/bin/crun"\n' > /etc/jangada/config.d/runtimes.toml
systemctl restart jangada`);

const SLEEP = ['/bin/sh', '-c', 'sleep 3600'];
const LEVEL = /:(s0:c\d+,c\d+)$/;

const labelOf = async (id: string) =>
  (await node.run(`tr -d '\\0' < /proc/${await node.pidOf(id)}/attr/current`)).trim();
const fileLabel = async (id: string, path: string) =>
  (await node.run(`stat -c %C /proc/${await node.pidOf(id)}/root${path}`)).trim();
const start = (pod: Pod, security: LinuxContainerSecurityContext = {}) =>
  pod.start(node.busybox, { command: SLEEP, security });
const options = (over: object) => ({ selinuxOptions: { user: '', role: '', type: '', level: '', ...over } });

t.test('it is on', async (t) => {
  t.equal(await node.run('cat /sys/fs/selinux/enforce'), '1');
  t.match(await node.run('jangada check --output json || true'), /selinux/);
});

for (const handler of ['native', 'runc', 'crun'])
  t.test(`${handler}: processes and files of a container have the labels of their pod`, async (t) => {
    const [pod, other] = [await Pod.run(node, {}, handler), await Pod.run(node, {}, handler)];
    const [one, two, stranger] = [await start(pod), await start(pod), await start(other)];
    const label = await labelOf(one);
    const level = LEVEL.exec(label)?.[1] ?? '';
    t.equal(label, `system_u:system_r:container_t:${level}`);
    t.equal(await labelOf(two), label, 'all containers of a pod have one label');
    t.not(await labelOf(stranger), label, 'another pod has another');
    t.equal(
      (await pod.exec(one, 'cat', '/proc/self/attr/current')).stdout.replace('\0', ''),
      label,
      'an exec has it, too',
    );
    const mount = `system_u:object_r:container_file_t:${level}`;
    for (const path of ['/', '/bin/busybox', '/dev', '/dev/shm', '/dev/pts', '/etc/hosts', '/etc/resolv.conf'])
      t.equal(await fileLabel(one, path), mount, path);
    const sh = async (script: string) => (await pod.exec(one, 'sh', '-c', `exec 2>&1; ${script}`)).stdout;
    t.equal(await sh('echo x > /tmp/x && cat /tmp/x && echo y > /dev/shm/y && cat /etc/hosts > /dev/null'), 'x\n');
    t.equal((await pod.exec(two, 'cat', '/dev/shm/y')).stdout, 'y\n', 'shared memory of the pod');
    await other.remove();
    await pod.remove();
  });

t.test('the init of a shared PID namespace has the label of its pod', async (t) => {
  const namespaceOptions = { network: 'NODE', pid: 'POD', ipc: 'POD' } as const;
  const pod = await Pod.run(node, { linux: { securityContext: { namespaceOptions } } });
  const label = await labelOf(await start(pod));
  t.match(label, /:container_t:/);
  t.equal((await node.run("tr -d '\\0' < /proc/$(pgrep -x jangada-init)/attr/current")).trim(), label);
  await pod.remove();
  t.equal((await node.run('pgrep -x jangada-init || true')).trim(), '');
});

for (const handler of ['native', 'runc', 'crun'])
  t.test(`${handler}: a volume is closed, opened by its label, and closed to other pods`, async (t) => {
    const volume = `/var/volume-${handler}`;
    await node.run(`mkdir -p ${volume}/below && chmod 755 ${volume} && echo text > ${volume}/below/file`);
    const [pod, other] = [await Pod.run(node, {}, handler), await Pod.run(node, {}, handler)];
    const read = async (where: Pod, selinuxRelabel: boolean) => {
      const mounts = [{ hostPath: volume, containerPath: '/v', selinuxRelabel }];
      const id = await where.start(node.busybox, { command: SLEEP, mounts });
      const { stdout, stderr } = await where.exec(id, 'cat', '/v/below/file');
      return stdout + stderr;
    };
    t.match(await read(pod, false), /Permission denied/, 'a file of the node');
    t.equal(await read(pod, true), 'text\n', 'relabelled');
    t.equal(await read(pod, false), 'text\n', 'which stays');
    t.match(await read(other, false), /Permission denied/, 'it is the label of one pod');
    await other.remove();
    await pod.remove();
  });

t.test('what a pod or a container asks for is what it gets', async (t) => {
  const pod = await Pod.run(node, { linux: { securityContext: options({ level: 's0:c5,c6' }) } });
  t.equal(await labelOf(await start(pod)), 'system_u:system_r:container_t:s0:c5,c6', 'a level of the pod');
  const own = await start(pod, options({ level: 's0:c7,c8' }));
  t.equal(await labelOf(own), 'system_u:system_r:container_t:s0:c7,c8', 'one of the container');
  t.equal(await fileLabel(own, '/'), 'system_u:object_r:container_file_t:s0:c7,c8', 'for its files, too');
  t.equal(await labelOf(await start(pod, options({ type: 'spc_t' }))), 'system_u:system_r:spc_t:s0:c5,c6', 'a type');
  t.equal(await labelOf(await start(pod, { privileged: true })), 'system_u:system_r:spc_t:s0', 'privileged');
  for (const [over, message] of [
    [{ level: 'gibberish' }, /not an SELinux level/],
    [{ type: 'unheard_of_t' }, /unheard_of_t/],
  ] as const)
    await t.rejects(pod.create(node.busybox, { security: options(over) }), {
      code: status.INVALID_ARGUMENT,
      details: message,
    });
  t.equal(
    (await node.cri.listContainers({ filter: { podSandboxId: pod.id } })).containers.length,
    4,
    'nothing is left of them',
  );
  await pod.remove();
});

t.test('a pod keeps its level over a restart of the daemon', async (t) => {
  const pod = await Pod.run(node);
  const before = await labelOf(await start(pod));
  await node.run('systemctl restart jangada');
  t.equal(await labelOf(await start(pod)), before);
  await pod.remove();
});

t.test('a directory of the system is not relabelled', async (t) => {
  const pod = await Pod.run(node);
  await node.run('ln -sfn /etc /var/innocent');
  for (const hostPath of ['/etc', '/var/innocent'])
    await t.rejects(
      pod.create(node.busybox, { mounts: [{ hostPath, containerPath: '/v', selinuxRelabel: true }] }),
      { code: status.INVALID_ARGUMENT, details: /a directory of the system is not relabelled/ },
      hostPath,
    );
  t.match(await node.run('stat -c %C /etc'), /host_t/);
  await pod.remove();
});
