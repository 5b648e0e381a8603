import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import { checkContainerConfig, checkPath, checkPrivilege, checkSandboxConfig } from './check.js';

const refused = { code: status.INVALID_ARGUMENT };
const HOSTILE = [
  '../x',
  'x;K8S_POD_NAME=y',
  ' x',
  'x ',
  'a/b',
  '/abs',
  'nul\0',
  'line\nbreak',
  'x'.repeat(300),
  '',
  '.',
  '..',
  '-x',
];

const sandbox = (change: object): PodSandboxConfig__Output =>
  ({
    metadata: { name: 'web', namespace: 'default', uid: 'u-1', attempt: 0 },
    hostname: '',
    logDirectory: '',
    linux: null,
    ...change,
  }) as PodSandboxConfig__Output;

const container = (change: object): ContainerConfig__Output =>
  ({
    metadata: { name: 'c', attempt: 0 },
    image: { image: 'busybox', runtimeHandler: '' },
    mounts: [],
    CDIDevices: [],
    logPath: '',
    ...change,
  }) as unknown as ContainerConfig__Output;

t.test('CVE-2025-0750: names, UIDs and paths of a pod are refused before anything is made of them', async (t) => {
  t.ok(checkSandboxConfig(sandbox({})));
  t.ok(
    checkSandboxConfig(sandbox({ metadata: { name: '_my pod', namespace: 'a_b', uid: '', attempt: 0 } })),
    'by hand',
  );
  for (const bad of HOSTILE) {
    for (const field of ['name', 'namespace', 'uid']) {
      if (field === 'uid' && bad === '') continue;
      const metadata = { name: 'web', namespace: 'default', uid: 'u-1', attempt: 0, [field]: bad };
      t.throws(
        () => checkSandboxConfig(sandbox({ metadata })),
        refused,
        `${field} ${JSON.stringify(bad.slice(0, 20))}`,
      );
    }
  }
  for (const bad of ['relative', '/a/../b', '/a\n', '/nul\0'])
    t.throws(() => checkSandboxConfig(sandbox({ logDirectory: bad })), refused, JSON.stringify(bad));
  t.throws(() => checkSandboxConfig(null), refused);
  t.throws(() => checkSandboxConfig(sandbox({ metadata: null })), refused);
  t.throws(() => checkSandboxConfig(sandbox({ hostname: 'a\nb' })), refused);
});

t.test('containers: metadata, image and log path are checked', async (t) => {
  t.ok(checkContainerConfig(container({ logPath: 'web/0.log' })));
  for (const bad of ['/abs.log', '../0.log', 'a/../../b', 'a//b', './x', 'x\n'])
    t.throws(() => checkContainerConfig(container({ logPath: bad })), refused, JSON.stringify(bad));
  t.throws(() => checkContainerConfig(container({ metadata: null })), refused);
  t.throws(() => checkContainerConfig(container({ image: null })), refused);
  t.throws(() => checkContainerConfig(container({ image: { image: '' } })), refused);
});

t.test('what the text of the sandbox security context asks for', async (t) => {
  const context = (over: object) =>
    sandbox({ linux: { securityContext: over } as unknown as PodSandboxConfig__Output['linux'] });
  const id = { value: '5' };
  const options = (over: object) => ({ namespaceOptions: { network: 'POD', pid: 'POD', ipc: 'POD', ...over } });
  // The kubelet sends the group alone for a pod whose user is the image's.
  for (const good of [
    { runAsUser: id, runAsGroup: id },
    { runAsGroup: id },
    options({}),
    options({ network: 'NODE', ipc: 'NODE' }),
  ])
    t.doesNotThrow(() => checkSandboxConfig(context(good)));
  for (const bad of [
    { seccomp: { profileType: 'RuntimeDefault', localhostRef: '/x' } },
    { apparmor: { profileType: 'Unconfined', localhostRef: 'x' } },
    options({ network: 'CONTAINER' }),
    options({ ipc: 'TARGET' }),
  ])
    t.throws(() => checkSandboxConfig(context(bad)), refused, JSON.stringify(bad));
});

t.test('a privileged container needs a sandbox that is', async (t) => {
  const linux = (privileged: boolean) => ({ linux: { securityContext: { privileged } } as never });
  const check = (own: boolean, pod: boolean) => checkPrivilege(container(linux(own)), sandbox(linux(pod)));
  t.throws(() => check(true, false), refused);
  for (const [own, pod] of [
    [true, true],
    [false, true],
    [false, false],
  ] as const)
    t.doesNotThrow(() => check(own, pod));
});

t.test('paths', async (t) => {
  t.doesNotThrow(() => checkPath('/a/..b/c', 'p'));
  t.throws(() => checkPath('/..', 'p'), refused);
});
