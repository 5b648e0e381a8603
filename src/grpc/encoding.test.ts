import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import t from 'tap';
import type { ProtoGrpcType } from '../gen/api.js';
import type { Container } from '../gen/runtime/v1/Container.js';
import { loadCri } from './proto.js';

const api = fileURLToPath(new URL('../../../proto/cri/v1/api.proto', import.meta.url));
const published = loadPackageDefinition(
  loadSync(api, { longs: String, enums: String, defaults: true, oneofs: true }),
) as unknown as ProtoGrpcType;
const reference: ServiceDefinition = published.runtime.v1.RuntimeService.service;
const ours = loadCri().runtime;

const container = (id: string, size = 1): Container => ({
  id,
  metadata: { name: 'c', attempt: 3 },
  image: { image: 'busybox', annotations: { a: '1' } },
  imageRef: 'x'.repeat(size),
  state: 'CONTAINER_EXITED',
  createdAt: '1790000000123456789',
  labels: { app: 'web', tier: 'ü' },
});

const method = (service: ServiceDefinition, name: string) => {
  const definition = service[name];
  if (!definition) throw new Error(name);
  return definition;
};

t.test('every method is defined as the proto was published', async (t) => {
  for (const [name, { path, requestStream, responseStream }] of Object.entries(reference))
    t.match(ours[name], { path, requestStream, responseStream }, name);
});

t.test('lists encode to the very bytes that a whole message encodes to', async (t) => {
  const replies: [string, object][] = [
    ['ListContainers', { containers: [] }],
    ['ListContainers', {}],
    ['ListContainers', { containers: [container('a'), container('b', 200), container('c', 70_000)] }],
    ['StreamContainers', { containers: [container('a')] }],
    ['ListPodSandbox', { items: [{ id: 'p', state: 'SANDBOX_NOTREADY', createdAt: '1' }] }],
    [
      'ListContainerStats',
      { stats: [{ cpu: { timestamp: '9007199254740993', usageCoreNanoSeconds: { value: '7' } } }] },
    ],
    ['ListPodSandboxMetrics', { podMetrics: [{ metrics: [{ name: 'm', metricType: 1, labelValues: ['a', ''] }] }] }],
    ['Version', { version: '0.1.0' }],
    ['ExecSync', { stdout: Buffer.from('out'), exitCode: -1 }],
  ];
  for (const [name, reply] of replies)
    t.ok(method(ours, name).responseSerialize(reply).equals(method(reference, name).responseSerialize(reply)), name);
});

t.test('what a frozen item encodes to is kept, a changing one is encoded each time', async (t) => {
  const { responseSerialize, responseDeserialize } = method(ours, 'ListContainers');
  const stateOf = (item: Container) => responseDeserialize(responseSerialize({ containers: [item] }));
  const changing = container('a');
  stateOf(changing);
  changing.state = 'CONTAINER_RUNNING';
  t.match(stateOf(changing), { containers: [{ id: 'a', state: 'CONTAINER_RUNNING' }] });
  const frozen = Object.freeze(container('b'));
  t.match(stateOf(frozen), { containers: [{ id: 'b', state: 'CONTAINER_EXITED' }] });
  t.match(stateOf(frozen), { containers: [{ id: 'b', state: 'CONTAINER_EXITED' }] });
});

t.test('a list of the same frozen items is kept, and any other is encoded', async (t) => {
  const { responseSerialize, responseDeserialize } = method(ours, 'ListContainers');
  const idsOf = (containers: Container[]) =>
    (responseDeserialize(responseSerialize({ containers })) as { containers: { id: string }[] }).containers
      .map(({ id }) => id)
      .join('');
  const [a, b, c] = [container('a'), container('b'), container('c')].map((item) => Object.freeze(item));
  if (!a || !b || !c) throw new Error('no containers');
  t.equal(responseSerialize({ containers: [a, b] }), responseSerialize({ containers: [a, b] }));
  for (const list of [[a, b, c], [a, b], [b, a], [b, c], [], [c]])
    t.equal(idsOf(list), list.map(({ id }) => id).join(''));
  const changing = container('d');
  t.equal(idsOf([a, changing]), 'ad');
  changing.id = 'e';
  t.equal(idsOf([a, changing]), 'ae');
});

t.test('requests decode as the generated types say', async (t) => {
  const name = 'RunPodSandbox';
  const request = { config: { metadata: { name: 'p', uid: 'u' }, linux: { securityContext: { privileged: true } } } };
  const bytes = method(reference, name).requestSerialize(request);
  t.same(method(ours, name).requestDeserialize(bytes), method(reference, name).requestDeserialize(bytes));
});
