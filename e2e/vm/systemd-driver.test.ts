import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { LinuxContainerResources } from '../../src/gen/runtime/v1/LinuxContainerResources.js';
import { AGENTS } from '../harness/agents.js';
import { Pod } from '../harness/pod.js';
import { until } from '../harness/wait.js';
import { VmNode } from './node.js';

const MIB = 1 << 20;
const HOST_NETWORK = { namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } } as const;
const node = await VmNode.start(t);
/** A pod's slice as the kubelet names it, by its whole path. */
const uid = randomBytes(8).toString('hex');
const slice = `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${uid}.slice`;
const pod = await Pod.run(node, { linux: { cgroupParent: slice, securityContext: HOST_NETWORK } });

const scopeOf = (id: string) => `cri-containerd-${id}.scope`;
const directoryOf = (id: string) => `/sys/fs/cgroup${slice}/${scopeOf(id)}`;
const file = async (id: string, name: string) => (await node.run(`cat ${directoryOf(id)}/${name}`)).trim();
const property = async (id: string, name: string) =>
  (await node.run(`systemctl show --value --property=${name} ${scopeOf(id)}`)).trim();
const sleeper = (resources: LinuxContainerResources = {}) => pod.start(node.busybox, { resources });
const remove = (containerId: string) => node.cri.removeContainer({ containerId });
/** Units of containers that systemd knows, collected or not. */
const scopes = async () =>
  (await node.run("systemctl list-units --all --no-legend --plain 'cri-containerd-*.scope'")).trim();

t.test('the kubelet is told that systemd makes cgroups', async (t) => {
  t.match(await node.cri.runtimeConfig({}), { linux: { cgroupDriver: 'SYSTEMD' } });
});

t.test('limits are properties of a scope in the named slice, and in the cgroup exactly', async (t) => {
  const id = await sleeper({
    cpuShares: '512',
    cpuQuota: '12345',
    cpuPeriod: '100000',
    cpusetCpus: '0',
    memoryLimitInBytes: String(64 * MIB),
    memorySwapLimitInBytes: String(80 * MIB),
    unified: { 'memory.high': String(48 * MIB), 'memory.oom.group': '1', 'pids.max': '33' },
    hugepageLimits: [{ pageSize: '2MB', limit: String(4 * MIB) }],
  });
  const kernel = {
    'cpu.weight': '59',
    'cpu.max': '12345 100000',
    'cpuset.cpus': '0',
    'memory.max': String(64 * MIB),
    'memory.swap.max': String(16 * MIB),
    'memory.high': String(48 * MIB),
    'memory.oom.group': '1',
    'pids.max': '33',
    'hugetlb.2MB.max': String(4 * MIB),
  };
  const systemd = {
    Slice: slice.split('/').at(-1),
    ControlGroup: `${slice}/${scopeOf(id)}`,
    Delegate: 'yes',
    CPUWeight: '59',
    CPUQuotaPerSecUSec: '130ms',
    AllowedCPUs: '0',
    MemoryMax: String(64 * MIB),
    MemorySwapMax: String(16 * MIB),
    MemoryHigh: String(48 * MIB),
    TasksMax: '33',
  };
  const all = async (when: string) => {
    // What systemd writes anew in other words, the daemon writes again.
    await until(`the exact quota ${when}`, async () => (await file(id, 'cpu.max')) === kernel['cpu.max']);
    await until(`the group ${when}`, async () => (await file(id, 'memory.oom.group')) === '1');
    for (const [name, value] of Object.entries(kernel)) t.equal(await file(id, name), value, `${name} ${when}`);
    for (const [name, value] of Object.entries(systemd)) t.equal(await property(id, name), value, `${name} ${when}`);
  };
  await all('at the start');
  t.equal(await file(id, 'cgroup.procs'), String(await node.pidOf(id)), 'its process, and no other');
  await node.run('systemctl daemon-reload');
  await all('after a daemon-reload');
  await remove(id);
});

t.test('devices stay as they are over a daemon-reload', async (t) => {
  const id = await pod.start(node.busybox, {
    devices: [{ hostPath: '/dev/ttyS0', containerPath: '/dev/serial', permissions: 'r' }],
  });
  const tries = async (when: string) => {
    t.equal((await pod.exec(id, 'sh', '-c', ': < /dev/serial')).code, 0, `what was asked for is readable ${when}`);
    t.not((await pod.exec(id, 'sh', '-c', ': > /dev/serial')).code, 0, `and no more than that ${when}`);
    const made = await pod.exec(id, 'sh', '-c', 'rm -f /m; mknod /m c 1 1 && head -c 1 /m');
    t.match(made.stderr, /not permitted/, `a node of another device is no use ${when}`);
  };
  await tries('at first');
  await node.run(`systemctl daemon-reload && systemctl set-property --runtime ${scopeOf(id)} CPUWeight=77`);
  await tries('then');
  await remove(id);
});

t.test('an update reaches the cgroup, the unit and the status, and survives a reload', async (t) => {
  const id = await sleeper({ memoryLimitInBytes: String(64 * MIB), cpuShares: '512' });
  const update = (linux: LinuxContainerResources) => node.cri.updateContainerResources({ containerId: id, linux });
  await update({ memoryLimitInBytes: String(96 * MIB), cpuQuota: '12345', unified: { 'memory.min': '4096' } });
  await node.run('systemctl daemon-reload');
  t.equal(await file(id, 'memory.max'), String(96 * MIB));
  t.equal(await file(id, 'memory.swap.max'), '0');
  t.equal(await file(id, 'memory.min'), '4096');
  await until('not what systemd rounds it to', async () => (await file(id, 'cpu.max')) === '12345 100000');
  t.equal(await file(id, 'cpu.weight'), '59', 'what the update does not name stays');
  t.equal(await property(id, 'MemoryMax'), String(96 * MIB));
  t.equal(await property(id, 'MemoryMin'), '4096');
  const { resources } = await pod.status(id);
  t.match(resources?.linux, { memoryLimitInBytes: String(96 * MIB), cpuShares: '512', cpuQuota: '12345' });
  await t.rejects(update({ cpuShares: '2048', cpusetCpus: '4000' }), 'what the kernel refuses');
  t.equal(await property(id, 'CPUWeight'), '59', 'changes nothing');
  t.equal(await file(id, 'cpu.weight'), '59');
  await remove(id);
});

t.test('D-Bus may be restarted, systemd may execute itself anew', async (t) => {
  for (const command of [
    'systemctl restart dbus.service',
    'systemctl daemon-reexec',
    'systemctl stop dbus.socket dbus.service',
  ]) {
    await node.machine.command(command);
    const id = await sleeper();
    t.match(await file(id, 'cgroup.procs'), /^\d+$/, `a container after ${command}`);
    await remove(id);
  }
  await node.run('systemctl start dbus.socket dbus.service');
});

t.test('an OOM kill is told, however fast systemd collects the scope', async (t) => {
  const oom = { memoryLimitInBytes: String(16 * MIB), memorySwapLimitInBytes: String(16 * MIB) };
  const options = {
    command: ['/memory', '64'],
    logPath: '',
    resources: { ...oom, unified: { 'memory.oom.group': '1' } },
  };
  for (let n = 0; n < 3; n++)
    t.match((await pod.complete(node.busybox, options)).status, { exitCode: 137, reason: 'OOMKilled' });
  // A supervisor that stands still at that moment finds no scope any more.
  const id = await pod.start(node.busybox, { ...options, command: ['sh', '-c', 'sleep 5; exec /memory 64'] });
  const supervisor = (await node.run(`ps -o ppid= -p ${await node.pidOf(id)}`)).trim();
  await node.run(`kill -STOP ${supervisor}`);
  await until(
    'systemd to collect the scope',
    async () => (await node.machine.command(`test -e ${directoryOf(id)}`)).code !== 0,
  );
  await node.run(`kill -CONT ${supervisor}`);
  t.match(await pod.exited(id), { exitCode: 137, reason: 'OOMKilled' });
  const killed = await sleeper();
  await node.run(`kill -9 ${await node.pidOf(killed)}`);
  t.match(await pod.exited(killed), { exitCode: 137, reason: 'Error' }, 'another kill is not taken for one');
});

t.test('agents find a container by its scope', async (t) => {
  const id = await sleeper();
  const path = (await node.run(`cat /proc/${await node.pidOf(id)}/cgroup`)).trim().split(':')[2] ?? '';
  for (const { tool, find } of AGENTS) t.ok(id.startsWith(find(path) ?? 'nothing'), `${tool} at ${path}`);
  await remove(id);
});

t.test('containers survive the daemon, their scopes are found again', async (t) => {
  const id = await sleeper({ memoryLimitInBytes: String(64 * MIB) });
  const pid = await node.pidOf(id);
  await node.run('systemctl restart jangada.service');
  t.equal(await node.pidOf(id), pid);
  t.equal(await property(id, 'ActiveState'), 'active');
  await node.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(32 * MIB) } });
  t.equal(await property(id, 'MemoryMax'), String(32 * MIB));
  await node.cri.stopContainer({ containerId: id, timeout: 0 });
  await until('systemd to collect the scope', async () => !(await scopes()).includes(id));
  await remove(id);
});

t.test('scopes of another prefix, as older versions had it, go on under it', async (t) => {
  const dropIn = '/etc/jangada/config.d/50-prefix.toml';
  await node.run(`mkdir -p /etc/jangada/config.d && printf '[containers]\\nscope_prefix = "jangada"\\n' > ${dropIn}`);
  await node.run('systemctl restart jangada.service');
  const id = await sleeper({ cpuQuota: '12345', cpuPeriod: '100000' });
  await node.run(`rm ${dropIn} && systemctl restart jangada.service`);
  const unit = `jangada-${id}.scope`;
  const told = async (name: string) =>
    (await node.run(`systemctl show --value --property=${name} ${unit} | tr -d '\\n'`)).trim();
  const quota = async () => (await node.run(`cat /sys/fs/cgroup${slice}/${unit}/cpu.max`)).trim();
  await node.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(32 * MIB) } });
  t.equal(await told('MemoryMax'), String(32 * MIB), 'updated');
  await node.run('systemctl daemon-reload');
  await until('the exact quota, after the reload', async () => (await quota()) === '12345 100000');
  t.match(await pod.exec(id, 'true'), { code: 0 }, 'entered');
  await remove(id);
  await until('systemd to collect it', async () => (await told('ActiveState')) !== 'active');
});

t.test('a container that may manages cgroups below its own, not its limits, and can be entered', async (t) => {
  const dropIn = '/etc/jangada/config.d/50-cgroups.toml';
  await node.run(`mkdir -p /etc/jangada/config.d && printf '[containers]\\ncgroup_writable = true\\n' > ${dropIn}`);
  await node.run('systemctl restart jangada.service');
  const script =
    'cd /sys/fs/cgroup && mkdir init && echo 1 > init/cgroup.procs && echo +pids > cgroup.subtree_control && sleep 1000';
  const mapping = [{ containerId: 0, hostId: 231_072, length: 65_536 }];
  const usernsOptions = { mode: 'POD', uids: mapping, gids: mapping } as const;
  const securityContext = { namespaceOptions: { ...HOST_NETWORK.namespaceOptions, usernsOptions } };
  const mapped = await Pod.run(node, { linux: { cgroupParent: slice, securityContext } });
  for (const where of [pod, mapped]) {
    const id = await where.start(node.busybox, { command: ['sh', '-c', script] });
    await until('its own cgroup', async () => (await file(id, 'cgroup.subtree_control')) === 'pids');
    t.match(await where.exec(id, 'cat', '/proc/self/cgroup'), { code: 0, stdout: '0::/init\n' });
    t.match(await where.exec(id, 'sh', '-c', 'echo max > /sys/fs/cgroup/memory.max'), { code: 1 });
    const owner = (await node.run(`stat -c %u ${directoryOf(id)}/{,cgroup.procs,memory.max} | xargs`)).trim();
    t.equal(owner, where === mapped ? '231072 231072 0' : '0 0 0', 'in a user namespace its root owns what it may use');
    await remove(id);
  }
  await mapped.remove();
  await node.run(`rm ${dropIn}`);
  await node.run('systemctl restart jangada.service');
});

t.test("a privileged container leaves the host's cgroup mount as it is", async (t) => {
  const options = () => node.run('grep cgroup2 /proc/self/mountinfo');
  const before = await options();
  const id = await pod.start(node.busybox, { security: { privileged: true } });
  t.match((await pod.exec(id, 'cat', '/proc/self/cgroup')).stdout, /cri-containerd-/, "in the host's namespace");
  t.equal(await options(), before);
  t.match(before, /nsdelegate/);
  await remove(id);
});

t.test('a supervisor that dies takes its pod along, scopes and all', async (t) => {
  const own = await Pod.run(node, { linux: { cgroupParent: slice, securityContext: HOST_NETWORK } });
  const id = await own.start(node.busybox);
  await node.run(`kill -9 $(ps -o ppid= -p ${await node.pidOf(id)})`);
  t.match(await own.exited(id), { reason: 'ContainerStatusUnknown' });
  await until('systemd to collect the scope', async () => !(await scopes()).includes(id));
  await own.remove();
});

t.test('the init of a shared PID namespace has a scope of its own, as the pause container of peers', async (t) => {
  const shared = { namespaceOptions: { network: 'NODE', pid: 'POD', ipc: 'POD' } } as const;
  const own = await Pod.run(node, { linux: { cgroupParent: slice, securityContext: shared } });
  await own.start(node.busybox);
  const init = (await node.run('pgrep -x jangada-init')).trim();
  t.equal((await node.run(`cat /proc/${init}/cgroup`)).trim(), `0::${slice}/${scopeOf(own.id)}`);
  t.equal(await file(own.id, 'cgroup.procs'), init, 'and nobody else is in it');
  await own.remove();
  await until('systemd to collect the scope', async () => !(await scopes()).includes(own.id));
});

t.test('a creation that fails leaves no scope', async (t) => {
  await t.rejects(pod.create(node.busybox, { mounts: [{ hostPath: '/proc/no/such', containerPath: '/x' }] }));
  await until('no scope but those of containers', async () => {
    const { containers } = await node.cri.listContainers({ filter: { podSandboxId: pod.id } });
    return (await scopes()).split('\n').every((line) => line === '' || containers.some(({ id }) => line.includes(id)));
  });
  await t.rejects(
    Pod.run(node, { linux: { cgroupParent: '/kubepods/pod1', securityContext: HOST_NETWORK } }),
    { message: /not a systemd slice/ },
    'a parent that is no slice',
  );
});

t.test('a pod that names no slice has one of its own, which goes with it', async (t) => {
  const own = await Pod.run(node, { linux: { securityContext: HOST_NETWORK } });
  await own.start(node.busybox);
  const units = () => node.run(`systemctl list-units --all --no-legend --plain '*${own.id}*'`);
  t.match(await units(), new RegExp(`^jangada-${own.id}\\.slice`, 'm'));
  await own.remove();
  t.equal((await units()).trim(), '');
});

t.test('nothing is left', async (t) => {
  await pod.remove();
  await until('no scope', async () => (await scopes()) === '');
  t.equal((await node.run('systemctl --failed --no-legend --plain')).trim(), '');
  t.equal((await node.run(`find /sys/fs/cgroup -name '*jangada-*.scope'`)).trim(), '');
  t.equal((await node.run('pgrep -f "[j]angada-placeholder" || true')).trim(), '');
});
