import t from 'tap';
import { exitStatus, judge, refusal } from './fitness.js';
import type { HostProbe } from './host-probe.js';

const fit: HostProbe = {
  node: 'v24.22.2',
  kernel: '6.12.0-amd64',
  missingSyscalls: [],
  namespaces: ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'pid_for_children', 'time', 'user', 'uts'],
  missingFileSystems: [],
  seccomp: true,
  pressure: true,
  userNamespaces: 127_000,
  missingCapabilities: [],
  cgroup: { mode: 'v2', controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'], writable: true },
  lsms: ['capability', 'apparmor'],
  apparmorParser: '/usr/sbin/apparmor_parser',
  cni: { network: 'jangada (/etc/cni/net.d/10-jangada.conflist)' },
  ipForward: true,
  rootFileSystem: 'ext4',
  rootIsWritable: true,
  openFiles: 1_048_576,
  inotifyInstances: 8192,
  sockets: ['/run/jangada/jangada.sock'],
  missingPrograms: [],
};

t.test('a host that has everything', async (t) => {
  const findings = judge(fit);
  t.same(
    findings.filter(({ state }) => state !== 'ok'),
    [],
  );
  t.equal(exitStatus(findings), 0);
  t.equal(refusal(findings), undefined);
});

/** What is taken away, what it costs by the words of the finding. */
const LIMITS: Array<[Partial<HostProbe>, string, RegExp]> = [
  [{ node: 'v20.20.2' }, 'Node.js', /security fixes/],
  [{ missingSyscalls: ['mount_setattr'] }, 'system calls', /recursive read-only/],
  [{ namespaces: ['ipc', 'mnt', 'net', 'pid', 'uts'] }, 'user namespaces', /hostUsers: false/],
  [{ userNamespaces: 0 }, 'user namespaces', /hostUsers: false/],
  [{ kernel: '5.18.9' }, 'user namespaces', /hostUsers: false/],
  [{ cgroup: { mode: 'hybrid', controllers: ['cpu', 'cpuset', 'memory', 'pids'], writable: true } }, 'cgroups', /QoS/],
  [{ cgroup: { mode: 'v2', controllers: ['cpu', 'memory', 'pids'], writable: true } }, 'controllers', /cpuset/],
  [{ missingCapabilities: ['CAP_SYS_RESOURCE'] }, 'privileges', /privileged ones/],
  [{ seccomp: false }, 'seccomp', /refused/],
  [{ lsms: ['capability'] }, 'security module', /not confined/],
  [{ apparmorParser: undefined }, 'security module', /RuntimeDefault is refused/],
  [{ cni: { error: 'no CNI configuration' } }, 'pod network', /NetworkReady/],
  [{ ipForward: false }, 'IP forwarding', /beyond the node/],
  [{ rootIsWritable: false }, 'storage', /none be made/],
  [{ openFiles: 1024 }, 'open files', /containers/],
  [{ inotifyInstances: 128 }, 'inotify', /kubelet/],
  [{ pressure: false }, 'pressure stall', /PSI/],
];

t.test('devices are guarded by the v1 controller or by cgroup2', async (t) => {
  const on = (mode: 'v1' | 'hybrid', ...more: string[]) =>
    judge({ ...fit, cgroup: { mode, controllers: ['cpu', 'cpuset', 'memory', 'pids', ...more], writable: true } }).find(
      ({ what }) => what === 'devices',
    );
  t.match(on('v1'), { state: 'limited', cost: /not privileged are refused/, remedy: /mount .*devices/ });
  t.match(on('v1', 'devices'), { state: 'ok' });
  t.match(on('hybrid'), { state: 'ok' });
});

t.test('what costs something and what it costs', async (t) => {
  for (const [taken, what, cost] of LIMITS) {
    const findings = judge({ ...fit, ...taken });
    const label = JSON.stringify(taken);
    t.same(
      findings.filter(({ state }) => state !== 'ok').map((finding) => [finding.what, finding.state]),
      [[what, 'limited']],
      label,
    );
    const finding = findings.find((one) => one.what === what);
    t.match(finding?.cost, cost, label);
    t.not(finding?.remedy, '', 'there is a way out');
    t.equal(exitStatus(findings), 1);
    t.equal(refusal(findings), undefined, 'the daemon starts');
  }
});

const FATAL: Array<[Partial<HostProbe>, RegExp]> = [
  [{ node: 'v20.20.1' }, /^Node\.js: v20\.20\.1: .*22\.23\.4, 24\.22\.1/],
  [{ missingSyscalls: ['openat2', 'mount_setattr'] }, /no openat2.*Linux 5\.9/],
  [{ namespaces: ['mnt', 'ipc', 'uts', 'user'] }, /no pid, net/],
  [{ missingFileSystems: ['overlay'] }, /no overlay.*modprobe overlay/],
  [{ rootFileSystem: 'overlay' }, /storage: overlay.*ext4 or xfs/],
  [{ missingCapabilities: ['CAP_SYS_ADMIN', 'CAP_SYS_TIME'] }, /no CAP_SYS_ADMIN:/],
  [{ cgroup: { mode: 'v2', controllers: ['cpu', 'cpuset', 'memory', 'pids'], writable: false } }, /cgroups: read-only/],
  [
    { sockets: ['/s', `/${'x'.repeat(107)}`] },
    /sockets: a path of 108 bytes, the kernel takes 107: \/x+: .* shorter by 1 bytes/,
  ],
  [{ missingPrograms: ['/usr/lib/jangada/build/native/jangada-pod'] }, /jangada-pod.*install/],
];

t.test('what the daemon cannot do without is named, with the way out', async (t) => {
  for (const [taken, message] of FATAL) {
    const findings = judge({ ...fit, ...taken });
    t.equal(exitStatus(findings), 2, JSON.stringify(taken));
    t.match(refusal(findings), message);
  }
  const nowhere = judge({ ...fit, cgroup: { error: 'no cgroups: nothing is mounted under /sys/fs/cgroup' } });
  t.match(refusal(nowhere), /^cgroups: no cgroups: nothing is mounted.*mount -t cgroup2/);
  const all = judge({ ...fit, missingFileSystems: ['overlay'], missingSyscalls: ['fsopen'] });
  t.match(refusal(all), /fsopen.*overlay/, 'all of them at once');
});
