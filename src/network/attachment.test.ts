import t from 'tap';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import type { PortMapping__Output } from '../gen/runtime/v1/PortMapping.js';
import { attachmentOf, cniArgs, hostPorts } from './attachment.js';

const ID = 'a'.repeat(64);
const pod = (change: object = {}) =>
  ({
    metadata: { name: 'web', namespace: 'default', uid: 'u-1', attempt: 0 },
    portMappings: [],
    annotations: {},
    dnsConfig: null,
    ...change,
  }) as unknown as PodSandboxConfig__Output;
const port = (change: Partial<PortMapping__Output>): PortMapping__Output => ({
  protocol: 'TCP',
  hostPort: 8080,
  containerPort: 80,
  hostIp: '',
  ...change,
});

t.test('arguments tell plugins which pod it is', async (t) => {
  const args = cniArgs(attachmentOf(ID, '/run/netns/x', pod(), ''));
  t.equal(
    args,
    `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=${ID};K8S_POD_UID=u-1`,
  );
});

t.test('a pod name cannot add CNI arguments', async (t) => {
  for (const name of ['a;K8S_POD_NAMESPACE=kube-system', 'a;b', 'a=b', 'a\nb', 'a\0']) {
    const metadata = { name, namespace: 'default', uid: 'u-1', attempt: 0 };
    t.throws(
      () => attachmentOf(ID, '/run/netns/x', pod({ metadata }), ''),
      { code: 3, message: /K8S_POD_NAME/ },
      JSON.stringify(name),
    );
  }
});

t.test('a sandbox ID that is a path is refused', async (t) => {
  for (const id of ['../x', 'a/b', '', '.hidden'])
    t.throws(() => attachmentOf(id, '/run/netns/x', pod(), ''), { code: 3 }, `"${id}"`);
});

t.test('host ports', async (t) => {
  t.same(hostPorts([port({ protocol: 'UDP', hostIp: '127.0.0.1' })]), [
    { hostPort: 8080, containerPort: 80, protocol: 'udp', hostIP: '127.0.0.1' },
  ]);
  t.same(hostPorts([port({ hostPort: 0, containerPort: 0 })]), [], 'host port 0 asks for nothing');
  t.equal(
    hostPorts([port({}), port({ protocol: 'UDP' }), port({ hostIp: '::1' })]).length,
    3,
    'same number, other protocol or address',
  );
});

t.test('host ports that cannot be are refused', async (t) => {
  const cases: Array<[RegExp, PortMapping__Output[]]> = [
    [/host_port is 65536/, [port({ hostPort: 65536 })]],
    [/host_port is -1/, [port({ hostPort: -1 })]],
    [/container_port is 0/, [port({ containerPort: 0 })]],
    [/host_ip "localhost"/, [port({ hostIp: 'localhost' })]],
    [/unknown protocol: "7"/, [port({ protocol: '7' as PortMapping__Output['protocol'] })]],
    [/mapped twice: tcp port 8080/, [port({}), port({ containerPort: 81 })]],
  ];
  for (const [message, mappings] of cases) t.throws(() => hostPorts(mappings), { code: 3, message });
});
