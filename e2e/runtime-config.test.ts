import { status } from '@grpc/grpc-js';
import t from 'tap';
import { startNode } from './harness/node.js';
import { OWN_NETWORK, Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

const template = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'from-template',
  plugins: [{ type: 'ptp', ipam: { type: 'host-local', ranges: '{{ranges}}', routes: '{{routes}}' } }],
});
const node = await startNode(t, { network: false, cniTemplate: template });
const { cri } = node.daemon;
const update = (podCidr: string) => cri.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr } } });
const networkReady = async () => {
  const { status: told } = await cri.status({});
  return told?.conditions.find(({ type }) => type === 'NetworkReady')?.status ?? false;
};

t.test('the kubelet is told the cgroup driver', async (t) => {
  t.match(await cri.runtimeConfig({}), { linux: { cgroupDriver: 'CGROUPFS' } });
});

t.test('what is no address range changes nothing', async (t) => {
  for (const podCidr of ['10.0.0.0', '10.0.0.0/33', '"}]', '../../etc'])
    await t.rejects(update(podCidr), { code: status.INVALID_ARGUMENT }, podCidr);
  await update('');
  await cri.updateRuntimeConfig({});
  t.equal(await networkReady(), false);
});

t.test("the node's pod range becomes the pods' network", async (t) => {
  await update('10.217.5.0/24');
  await until('the network to be ready', networkReady);
  const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const { status: told } = await cri.podSandboxStatus({ podSandboxId: pod.id });
  t.match(told?.network?.ip, /^10\.217\.5\.\d+$/);
  await update('10.217.5.0/24');
  await pod.remove();
});

t.test('the resources of a pod are recorded', async (t) => {
  const pod = await Pod.run(node.daemon);
  const recorded = async () => {
    const { info } = await cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    const { config } = JSON.parse(info['info'] ?? '{}') as {
      config: { linux: { overhead: object; resources: object } };
    };
    return config.linux;
  };
  await cri.updatePodSandboxResources({
    podSandboxId: pod.id,
    overhead: { memoryLimitInBytes: '1048576' },
    resources: { cpuShares: '512', memoryLimitInBytes: '67108864' },
  });
  await cri.updatePodSandboxResources({ podSandboxId: pod.id, resources: { cpuShares: '1024' } });
  // Verbose information leaves out what is zero: of the limit before nothing is left.
  const { overhead, resources } = await recorded();
  t.match(overhead, { memory_limit_in_bytes: 1048576 });
  t.same(resources, { cpu_shares: 1024 });
  await node.daemon.restart();
  t.match(await recorded(), { resources: { cpu_shares: '1024' } }, 'after a restart, too');
  const bad = { podSandboxId: pod.id, resources: { cpuShares: '-1' } };
  await t.rejects(cri.updatePodSandboxResources(bad), { code: status.INVALID_ARGUMENT });
  await cri.stopPodSandbox({ podSandboxId: pod.id });
  await t.rejects(cri.updatePodSandboxResources({ podSandboxId: pod.id }), { code: status.FAILED_PRECONDITION });
  await t.rejects(cri.updatePodSandboxResources({ podSandboxId: 'ff' }), { code: status.NOT_FOUND });
  await cri.removePodSandbox({ podSandboxId: pod.id });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
