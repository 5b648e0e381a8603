import t from 'tap';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import { namespaceOptions, sandboxConfig } from './spec-input.fixture.js';
import { isOfInterface, sandboxSysctls, type Unprivileged } from './sysctls.js';

const NOTHING = { enable_unprivileged_ports: false, enable_unprivileged_icmp: false };
const BOTH = { enable_unprivileged_ports: true, enable_unprivileged_icmp: true };

const check = (
  sysctls: Record<string, string>,
  options: Partial<NamespaceOption__Output> = {},
  allowed: Unprivileged = NOTHING,
) =>
  sandboxSysctls(
    sandboxConfig({
      linux: {
        cgroupParent: '',
        securityContext: {
          namespaceOptions: namespaceOptions(options),
          selinuxOptions: null,
          runAsUser: null,
          readonlyRootfs: false,
          supplementalGroups: [],
          privileged: false,
          seccompProfilePath: '',
          runAsGroup: null,
          seccomp: null,
          apparmor: null,
          supplementalGroupsPolicy: 'Merge',
        },
        sysctls,
        overhead: null,
        resources: null,
      },
    }),
    allowed,
  );

t.test('settings of the pod’s own namespaces, in one spelling', async (t) => {
  t.same(sandboxSysctls(sandboxConfig(), NOTHING), []);
  t.same(check({ 'net.ipv4.ip_forward': '1', 'net/ipv4/tcp_rmem': '4096 87380\t6291456' }), [
    { key: 'net.ipv4.ip_forward', value: '1' },
    { key: 'net.ipv4.tcp_rmem', value: '4096 87380 6291456' },
  ]);
  for (const key of ['kernel.shm_rmid_forced', 'kernel.msgmax', 'kernel.sem', 'fs.mqueue.msg_max'])
    t.same(check({ [key]: '1' }), [{ key, value: '1' }]);
});

t.test('what the node allows all pods with a network of their own; the pod has the last word', async (t) => {
  const ports = { key: 'net.ipv4.ip_unprivileged_port_start', value: '0' };
  const ping = { key: 'net.ipv4.ping_group_range', value: '0 2147483647' };
  t.same(check({}, {}, BOTH), [ports, ping]);
  t.same(check({}, {}, { ...BOTH, enable_unprivileged_icmp: false }), [ports]);
  t.same(check({}, {}, { ...BOTH, enable_unprivileged_ports: false }), [ping]);
  const own = { key: ports.key, value: '1024' };
  t.same(check({ 'net/ipv4/ip_unprivileged_port_start': '1024' }, {}, BOTH), [ping, own]);
  t.same(check({}, { network: 'NODE' }, BOTH), [], 'never of the node');
  const userns = { mode: 'POD', uids: [], gids: [] } as const;
  t.same(
    check({}, { usernsOptions: { ...userns, uids: [], gids: [] } }, BOTH),
    [ports],
    'groups a user namespace lacks',
  );
});

t.test('CVE-2022-0811: values carry nothing but a value', async (t) => {
  for (const value of ['1+kernel.core_pattern=|/x', '1\n', 'a\0', '', '|/bin/sh', '1;2', '%p', 'x'.repeat(4097)])
    t.throws(() => check({ 'kernel.shm_rmid_forced': value }), { code: 3 }, JSON.stringify(value.slice(0, 32)));
});

t.test('CVE-2022-0532: nothing that would change the node', async (t) => {
  for (const key of ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'])
    t.throws(() => check({ [key]: '1' }, { network: 'NODE' }), { code: 3, message: /^would change the node/ }, key);
  for (const key of ['kernel.msgmax', 'kernel/msgmax', 'fs.mqueue.msg_max'])
    t.throws(() => check({ [key]: '1' }, { ipc: 'NODE' }), { code: 3, message: /^would change the node/ }, key);
  t.doesNotThrow(() => check({ 'kernel.msgmax': '1' }, { network: 'NODE' }));
});

t.test('other keys and spellings are refused', async (t) => {
  const keys = [
    ...[
      'kernel.core_pattern',
      'kernel.shm',
      'kernel.semaphore',
      'kernel.hostname',
      'vm.swappiness',
      'fs.file-max',
      'net',
      'netx.a',
      '',
    ],
    ...[
      'net..ipv4',
      'net.',
      '.net.a',
      'net.ipv4./../../kernel/core_pattern',
      'net/../kernel/core_pattern',
      'net.ipv4.a b',
      'net.a\n',
    ],
    ...[
      'kernel.domainname',
      'net.ipv4.conf...x',
      'net.a=b',
      `net.${'a'.repeat(256)}`,
      'fs.mqueue.msg_max.x',
      '__proto__.x',
    ],
  ];
  for (const key of keys) t.throws(() => check({ [key]: '1' }), { code: 3 }, JSON.stringify(key.slice(0, 64)));
});

t.test('a name with a dot in it, in both spellings', async (t) => {
  const key = 'net.ipv4.conf.eth0/100.rp_filter';
  for (const name of [key, 'net/ipv4/conf/eth0.100/rp_filter']) t.same(check({ [name]: '2' }), [{ key, value: '2' }]);
  for (const name of ['net/ipv4/../x', 'net/./x', 'net.//.x', 'net./.x', 'net.a/.x', 'net/a./x', '/net/x', 'net/x/'])
    t.throws(() => check({ [name]: '1' }), { message: /not the name of a sysctl/ }, name);
  t.throws(() => check({ 'net/ipv4.kernel/core_pattern': '1' }, { network: 'NODE' }), { message: /change the node/ });
});

t.test('what is of an interface that is not there yet', async (t) => {
  const of = (key: string) => isOfInterface({ key, value: '1' });
  for (const key of [
    'net.ipv4.conf.eth0.rp_filter',
    'net.ipv6.conf.net1/5.accept_ra',
    'net.ipv4.neigh.eth0.gc_stale_time',
  ])
    t.ok(of(key), key);
  for (const key of [
    'net.ipv4.conf.all.rp_filter',
    'net.ipv6.conf.default.accept_ra',
    'net.ipv4.neigh.lo.mcast_solicit',
  ])
    t.notOk(of(key), key);
  t.notOk(of('net.ipv4.ip_forward'));
});
