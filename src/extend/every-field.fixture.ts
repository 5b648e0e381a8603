import type { Adjustment } from './adjustment.js';

const ALLOW_ALL = {
  defaultAction: 'SCMP_ACT_ALLOW' as const,
  architectures: [],
  flags: [],
  syscalls: [],
};

/** What both a plan and a bundle can carry out. */
export const common: Adjustment = {
  annotations: { 'example.com/a': '1', 'io.kubernetes.cri.container-type': null },
  mounts: {
    '/plugin': { type: 'bind', source: '/srv/plugin', options: ['rbind', 'rslave', 'ro'] },
    '/scratch': { type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=1m'] },
    '/dev/mqueue': null,
  },
  env: { ADDED: '1', A: null },
  args: ['/other'],
  rlimits: { RLIMIT_NOFILE: { soft: '18446744073709551615', hard: '18446744073709551615' } },
  additionalGids: [44],
  devices: { '/dev/added': { type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 1, gid: 2, access: 'rw' } },
  resources: {
    memory: { limit: 2000, reservation: 500 },
    cpu: { shares: 10, cpus: '0' },
    pids: { limit: 9 },
    blockIO: { weight: 100 },
    hugepageLimits: [{ pageSize: '2MB', limit: '0' }],
    unified: { 'memory.high': '1500' },
  },
  oomScoreAdj: 77,
  seccomp: ALLOW_ALL,
  hooks: {
    prestart: [{ path: '/bin/true' }],
    createRuntime: [{ path: '/bin/true' }],
    createContainer: [{ path: '/bin/true', args: ['true', 'x'], env: ['A=1'], timeout: 5 }],
    startContainer: [{ path: '/bin/true' }],
    poststart: [{ path: '/bin/true' }],
    poststop: [{ path: '/bin/true' }],
  },
};

/** What only external runtimes can. */
export const ofRuntimes: Adjustment = {
  netDevices: { eth9: 'fast0' },
  ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
  scheduler: { policy: 'SCHED_BATCH', nice: 1 },
  namespaces: { network: { path: '/run/netns/other' } },
  sysctl: { 'net.core.somaxconn': '1024' },
  intelRdt: { closID: 'gold', schemata: ['L3:0=f'] },
  memoryPolicy: { mode: 'MPOL_BIND', nodes: '0' },
};

/** Every field that can be carried out at all. */
export const everything: Adjustment = { ...common, ...ofRuntimes };
