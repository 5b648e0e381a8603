import t from 'tap';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import { namespaceOptions, sandboxConfig } from './spec-input.fixture.js';
import { sandboxSysctls } from './sysctls.js';

const check = (sysctls: Record<string, string>, options: Partial<NamespaceOption__Output> = {}) =>
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
  );

t.test('settings of the pod’s own namespaces, in one spelling', async (t) => {
  t.same(sandboxSysctls(sandboxConfig()), []);
  t.same(check({ 'net.ipv4.ip_forward': '1', 'net/ipv4/tcp_rmem': '4096 87380\t6291456' }), [
    { key: 'net.ipv4.ip_forward', value: '1' },
    { key: 'net.ipv4.tcp_rmem', value: '4096 87380 6291456' },
  ]);
  for (const key of ['kernel.shm_rmid_forced', 'kernel.msgmax', 'kernel.sem', 'fs.mqueue.msg_max'])
    t.same(check({ [key]: '1' }), [{ key, value: '1' }]);
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
      'net.ipv4.conf.eth0/1.x',
      'net/ipv4/conf/eth0.1/x',
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
