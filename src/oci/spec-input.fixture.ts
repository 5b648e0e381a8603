import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.js';
import type { Mount__Output } from '../gen/runtime/v1/Mount.js';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import type { HostFacts, SpecInput } from './spec-input.js';

/** Requests as the gRPC server delivers them, every field set, for tests to change one thing in. */
export const securityContext = (
  over: Partial<LinuxContainerSecurityContext__Output> = {},
): LinuxContainerSecurityContext__Output => ({
  capabilities: null,
  privileged: false,
  namespaceOptions: null,
  selinuxOptions: null,
  runAsUser: null,
  runAsUsername: '',
  readonlyRootfs: false,
  supplementalGroups: [],
  apparmorProfile: '',
  seccompProfilePath: '',
  noNewPrivs: false,
  runAsGroup: null,
  maskedPaths: [],
  readonlyPaths: [],
  seccomp: null,
  apparmor: null,
  supplementalGroupsPolicy: 'Merge',
  ...over,
});

export const resources = (over: Partial<LinuxContainerResources__Output> = {}): LinuxContainerResources__Output => ({
  cpuPeriod: '0',
  cpuQuota: '0',
  cpuShares: '0',
  memoryLimitInBytes: '0',
  oomScoreAdj: '0',
  cpusetCpus: '',
  cpusetMems: '',
  hugepageLimits: [],
  unified: {},
  memorySwapLimitInBytes: '0',
  ...over,
});

export const namespaceOptions = (over: Partial<NamespaceOption__Output> = {}): NamespaceOption__Output => ({
  network: 'POD',
  pid: 'CONTAINER',
  ipc: 'POD',
  targetId: '',
  usernsOptions: null,
  ...over,
});

export const mount = (over: Partial<Mount__Output> = {}): Mount__Output => ({
  containerPath: '/data',
  hostPath: '/srv/data',
  readonly: false,
  selinuxRelabel: false,
  propagation: 'PROPAGATION_PRIVATE',
  uidMappings: [],
  gidMappings: [],
  recursiveReadOnly: false,
  image: null,
  imageSubPath: '',
  mountOptions: [],
  ...over,
});

export const containerConfig = (over: Partial<ContainerConfig__Output> = {}): ContainerConfig__Output => ({
  metadata: { name: 'web', attempt: 0 },
  image: null,
  command: ['/bin/true'],
  args: [],
  workingDir: '',
  envs: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  logPath: '',
  stdin: false,
  stdinOnce: false,
  tty: false,
  linux: { resources: resources(), securityContext: securityContext() },
  windows: null,
  CDIDevices: [],
  stopSignal: 'SIGNAL_RUNTIME_DEFAULT',
  ...over,
});

export const sandboxConfig = (over: Partial<PodSandboxConfig__Output> = {}): PodSandboxConfig__Output => ({
  metadata: { name: 'pod', uid: 'u', namespace: 'default', attempt: 0 },
  hostname: 'pod',
  logDirectory: '',
  dnsConfig: null,
  portMappings: [],
  labels: {},
  annotations: {},
  linux: null,
  windows: null,
  ...over,
});

export const hostFacts = (over: Partial<HostFacts> = {}): HostFacts => ({
  capabilities: (1n << 41n) - 1n,
  knownCapabilities: (1n << 41n) - 1n,
  lsms: [],
  cgroup: 'v2',
  cgroupControllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'],
  arch: 'x64',
  kernel: '6.1.0-25-amd64',
  ...over,
});

export const specInput = (over: Partial<SpecInput> = {}): SpecInput => ({
  containerId: 'c'.repeat(64),
  sandboxId: 's'.repeat(64),
  sandboxConfig: sandboxConfig(),
  config: containerConfig(),
  image: { config: {}, identity: { passwd: '', group: '' } },
  hostname: 'pod',
  runtimeFiles: { hostname: '/run/j/hostname', hosts: '/run/j/hosts', resolvConf: '/run/j/resolv.conf' },
  host: hostFacts(),
  cgroupsPath: '/kubepods/pod1/c1',
  ...over,
});
