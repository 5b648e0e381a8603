import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { ContainerConfig } from '../../src/gen/runtime/v1/ContainerConfig.js';
import type { PodSandboxConfig } from '../../src/gen/runtime/v1/PodSandboxConfig.js';
import { containerConfig, podConfig } from '../harness/pod.js';
import type { Service } from './service.js';
import { type Sample, Stopwatch } from './stopwatch.js';

export type PodNetwork = 'NODE' | 'POD';

// Asked for on every side: without it containerd would run its containers unfiltered.
const SECCOMP = { profileType: 'RuntimeDefault' } as const;

/** Labels and annotations as the kubelet makes them (pkg/kubelet/kuberuntime/labels.go), of a pod of a Deployment. */
const podLabels = ({ name, uid }: { name: string; uid: string }): Record<string, string> => ({
  'io.kubernetes.pod.name': name,
  'io.kubernetes.pod.namespace': 'e2e',
  'io.kubernetes.pod.uid': uid,
});
const DEPLOYMENT_LABELS = { app: 'bench', 'pod-template-hash': '5d4f8c7b9d' };
const POD_ANNOTATIONS = {
  'kubernetes.io/config.seen': '2026-01-01T12:00:00.123456789Z',
  'kubernetes.io/config.source': 'api',
};
const CONTAINER_ANNOTATIONS = {
  'io.kubernetes.container.hash': '5c4f2a1b',
  'io.kubernetes.container.restartCount': '0',
  'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
  'io.kubernetes.container.terminationMessagePolicy': 'File',
  'io.kubernetes.pod.terminationGracePeriod': '30',
};

/** What the kubelet would send for a pod, in the runtime's own cgroup. */
export const benchPod = async (service: Service, network: PodNetwork = 'NODE'): Promise<PodSandboxConfig> => {
  const namespaceOptions = { network, pid: 'CONTAINER', ipc: 'POD' } as const;
  const uid = randomUUID();
  const name = `bench-5d4f8c7b9d-${uid.slice(0, 5)}`;
  const config = podConfig(service, {
    metadata: { name, uid, namespace: 'e2e', attempt: 0 },
    labels: { ...podLabels({ name, uid }), ...DEPLOYMENT_LABELS },
    annotations: POD_ANNOTATIONS,
    // The kubelet names no host in a pod on the host's network.
    hostname: network === 'NODE' ? '' : 'raft',
    linux: { cgroupParent: service.podCgroup, securityContext: { namespaceOptions, seccomp: SECCOMP } },
  });
  await mkdir(config.logDirectory ?? '', { recursive: true });
  return config;
};

export const benchContainer = (image: string, command: string[], pod: PodSandboxConfig): ContainerConfig =>
  containerConfig(image, {
    metadata: { name: 'main', attempt: 0 },
    labels: { ...podLabels({ name: '', uid: '', ...pod.metadata }), 'io.kubernetes.container.name': 'main' },
    annotations: CONTAINER_ANNOTATIONS,
    command,
    // What a small pod of the kubelet has.
    resources: { cpuShares: '102', memoryLimitInBytes: String(64 << 20) },
    security: { seccomp: SECCOMP, namespaceOptions: { pid: 'CONTAINER' } },
  });

export interface RunningPod {
  sandboxConfig: PodSandboxConfig;
  podSandboxId: string;
  containerId: string;
  logPath: string;
}

export const startPod = async (service: Service, image: string, command = ['/pause']): Promise<RunningPod> => {
  const { cri } = service;
  const sandboxConfig = await benchPod(service);
  const { podSandboxId } = await cri.runPodSandbox({ config: sandboxConfig });
  const config = benchContainer(image, command, sandboxConfig);
  const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig });
  await cri.startContainer({ containerId });
  return { sandboxConfig, podSandboxId, containerId, logPath: config.logPath ?? '' };
};

/** As the kubelet does, which asks again: a containerd whose container has just ended may fail to stop it. */
export const removePod = async ({ cri }: Service, podSandboxId: string): Promise<void> => {
  await cri.stopPodSandbox({ podSandboxId }).catch(() => cri.stopPodSandbox({ podSandboxId }));
  await cri.removePodSandbox({ podSandboxId });
};

export interface CycleOptions {
  network: PodNetwork;
  command: string[];
  execs: number;
}

/** The life of one pod with one container, each RPC timed under its name. */
export const podCycle = async (service: Service, image: string, options: CycleOptions): Promise<Sample[]> => {
  const { cri } = service;
  const watch = new Stopwatch(service.account);
  const sandboxConfig = await benchPod(service, options.network);
  const config = benchContainer(image, options.command, sandboxConfig);
  const { podSandboxId } = await watch.time('RunPodSandbox', () => cri.runPodSandbox({ config: sandboxConfig }));
  const request = { podSandboxId, config, sandboxConfig };
  const { containerId } = await watch.time('CreateContainer', () => cri.createContainer(request));
  await watch.time('StartContainer', () => cri.startContainer({ containerId }));
  for (let i = 0; i < options.execs; i++)
    await watch.time('ExecSync', async () => {
      const { exitCode } = await cri.execSync({ containerId, cmd: ['/true'], timeout: 10 });
      if (exitCode !== 0) throw new Error(`${service.name}: /true ended with ${exitCode}`);
    });
  await watch.time('StopContainer', () => cri.stopContainer({ containerId, timeout: '0' }));
  await watch.time('RemoveContainer', () => cri.removeContainer({ containerId }));
  await watch.time('StopPodSandbox', () => cri.stopPodSandbox({ podSandboxId }));
  await watch.time('RemovePodSandbox', () => cri.removePodSandbox({ podSandboxId }));
  return watch.finish();
};
