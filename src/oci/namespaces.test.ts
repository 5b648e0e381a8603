import t from 'tap';
import type { LinuxPodSandboxConfig__Output as PodLinux } from '../gen/runtime/v1/LinuxPodSandboxConfig.js';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import { containerNamespaces, namespaceOptions as effective, pidNamespace } from './namespaces.js';
import { containerConfig, namespaceOptions, securityContext } from './spec-input.fixture.js';

const pod = (options: Partial<NamespaceOption__Output> | null) => ({
  linux: options && ({ securityContext: { namespaceOptions: namespaceOptions(options) } } as PodLinux),
});
const ALONE = pod(null);

const config = (options: Partial<NamespaceOption__Output> | null) =>
  containerConfig({
    linux: {
      resources: null,
      securityContext: securityContext({ namespaceOptions: options && namespaceOptions(options) }),
    },
  });

t.test('PID namespace modes', async (t) => {
  t.same(pidNamespace(config(null), ALONE), { pid: 'pod' });
  t.same(pidNamespace({ linux: null }, ALONE), { pid: 'pod' });
  t.same(pidNamespace(config({ pid: 'POD' }), ALONE), { pid: 'pod' });
  t.same(pidNamespace(config({ pid: 'CONTAINER' }), ALONE), { pid: 'container' });
  t.same(pidNamespace(config({ pid: 'NODE' }), ALONE), { pid: 'node' });
  t.same(pidNamespace(config({ pid: 'TARGET', targetId: 'abc' }), ALONE), { pid: 'target', targetId: 'abc' });
  t.throws(() => pidNamespace(config({ pid: 'TARGET' }), ALONE), { code: 3, message: /^no target/ });
  t.throws(() => pidNamespace(config({ pid: 9 as unknown as 'POD' }), ALONE), { code: 3 });
});

t.test('namespaces that are not the host’s', async (t) => {
  const types = (options: Partial<NamespaceOption__Output> | null, privileged = false) =>
    containerNamespaces(config(options), ALONE, privileged)
      .map(({ type }) => type)
      .sort()
      .join(' ');
  t.equal(types(null), 'cgroup ipc mount network pid uts');
  t.equal(types({ network: 'NODE' }), 'cgroup ipc mount pid');
  t.equal(types({ ipc: 'NODE', pid: 'NODE' }), 'cgroup mount network uts');
  t.equal(types(null, true), 'ipc mount network pid uts');
  t.throws(() => types({ network: 'CONTAINER' }), { code: 3 });
  t.throws(() => types({ ipc: 'TARGET' }), { code: 3 });
  t.throws(() => types({ usernsOptions: { mode: 'POD', uids: [], gids: [] } }), { code: 3 });
});

t.test('what a container leaves at its default is the pod’s', async (t) => {
  const modes = (own: Partial<NamespaceOption__Output> | null, of: Partial<NamespaceOption__Output> | null) => {
    const { network, pid, ipc } = effective(config(own), pod(of)) ?? {};
    return [network, pid, ipc].join(' ');
  };
  t.equal(modes(null, null), '  ');
  t.equal(modes(null, { pid: 'CONTAINER', ipc: 'NODE' }), 'POD CONTAINER NODE');
  t.equal(modes({ pid: 'CONTAINER' }, { network: 'NODE', pid: 'NODE' }), 'NODE CONTAINER POD');
  t.equal(modes({ pid: 'POD' }, { pid: 'NODE' }), 'POD NODE POD');
  t.equal(modes({ pid: 'POD' }, { pid: 'CONTAINER' }), 'POD POD POD', 'asked for: containers that share one');
  t.equal(modes({ pid: 'POD', ipc: 'NODE' }, {}), 'POD POD NODE');
});
