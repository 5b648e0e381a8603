import { readCgroupFile } from '../stats/cgroup-file.js';
import { readCgroup, readPids } from '../stats/cgroup-stats.js';
import { type Container, containerState } from '../store/container.js';
import { type Sandbox, sandboxState } from '../store/sandbox.js';
import { isVisible } from '../store/visible.js';
import { namespacesOf, type ProcessFacts, processFacts } from './process-facts.js';
import type { Runtime } from './runtime.js';
import type { Passage } from './timelines.js';
import { type Why, why } from './why.js';

type Parts = Pick<Runtime, 'sandboxes' | 'containers' | 'cgroups' | 'timelines'>;

/** What there is of a limit; -1 without one. */
export interface Use {
  readonly what: string;
  readonly used: number;
  readonly limit: number;
}

export interface NamespaceUse {
  readonly kind: string;
  readonly identity: string;
  /** `the node`, `its pod`, names of other containers; empty: it has it for itself. */
  readonly sharedWith: readonly string[];
}

export interface ExplainedContainer {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  readonly pid: number;
  readonly image: string;
  readonly cgroup: string;
  readonly why: Why;
  readonly uses: readonly Use[];
  readonly namespaces: readonly NamespaceUse[];
  /** Absent when nothing of it runs. */
  readonly process?: Omit<ProcessFacts, 'namespaces'>;
  readonly timeline: readonly Passage[];
}

export interface ExplainedPod {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: string;
  readonly handler: string;
  readonly cgroup: string;
  readonly ips: readonly string[];
  readonly uses: readonly Use[];
  readonly containers: readonly ExplainedContainer[];
  /** Of the pod and all its containers. */
  readonly timeline: readonly Passage[];
}

/** A pod with its containers. */
export const explainPod = (parts: Parts, id: string): ExplainedPod => {
  const sandbox = parts.sandboxes.require(id);
  return {
    id: sandbox.id,
    name: sandbox.config.metadata?.name ?? '',
    namespace: sandbox.config.metadata?.namespace ?? '',
    state: sandboxState(sandbox),
    handler: sandbox.runtimeHandler || 'native',
    cgroup: sandbox.cgroupParent,
    ips: sandbox.ips,
    uses: usesOf(parts, sandbox.cgroupParent),
    containers: containersOf(parts, sandbox).map((container) => explain(parts, sandbox, container)),
    timeline: parts.timelines.of(sandbox.id),
  };
};

export const explainContainer = (parts: Parts, id: string): ExplainedContainer => {
  const container = parts.containers.require(id);
  return explain(parts, parts.sandboxes.require(container.sandboxId), container);
};

const containersOf = ({ containers }: Parts, { id }: Sandbox): Container[] =>
  containers.list().filter((container) => container.sandboxId === id && isVisible(container));

const explain = (parts: Parts, sandbox: Sandbox, container: Container): ExplainedContainer => {
  const { id, sandboxId, config, pid, image, cgroupPath } = container;
  const facts = containerState(container) === 'CONTAINER_RUNNING' ? processFacts(pid) : undefined;
  const timeline = parts.timelines.ofContainer(sandboxId, id);
  const { namespaces = {}, ...process } = facts ?? {};
  return {
    id,
    name: config.metadata?.name ?? '',
    sandboxId,
    pid,
    image: image.name ?? image.id,
    cgroup: cgroupPath,
    why: why(container, timeline),
    uses: usesOf(parts, cgroupPath),
    namespaces: sharing(namespaces, neighbours(parts, sandbox, container)),
    ...(facts && { process: process as Omit<ProcessFacts, 'namespaces'> }),
    timeline,
  };
};

/** Who there is that a namespace could be shared with, and their namespaces. */
const neighbours = (parts: Parts, sandbox: Sandbox, container: Container): Array<[name: string, has: Identities]> => [
  ['the node', namespacesOf('/proc/self')],
  ...(sandbox.supervisorPid === 0
    ? []
    : [['its pod', namespacesOf(`/proc/${sandbox.supervisorPid}`)] satisfies [string, Identities]]),
  ...containersOf(parts, sandbox)
    .filter(({ id, pid }) => id !== container.id && pid !== 0)
    .map(({ config, pid }): [string, Identities] => [config.metadata?.name ?? '', namespacesOf(`/proc/${pid}`)]),
];

type Identities = Readonly<Record<string, string>>;

/** A pod whose namespace is the node's adds nothing by having it too. */
export const sharing = (own: Identities, others: ReadonlyArray<[name: string, has: Identities]>): NamespaceUse[] =>
  Object.entries(own)
    .filter(([, identity]) => identity !== '')
    .map(([kind, identity]) => {
      const names = others.filter(([, has]) => has[kind] === identity).map(([name]) => name);
      return { kind, identity, sharedWith: names[0] === 'the node' ? ['the node'] : names };
    });

const usesOf = ({ cgroups }: Parts, path: string): Use[] => {
  const reading = path === '' ? undefined : readCgroup(cgroups, path, readCgroupFile);
  if (!reading) return [];
  const pids = readPids(cgroups, path, readCgroupFile);
  const { cpu, memory, swap } = reading;
  return [
    ...(memory ? [{ what: 'memory bytes', used: memory.usage, limit: finite(memory.limit) }] : []),
    ...(swap ? [{ what: 'swap bytes', used: swap.usage, limit: finite(swap.limit) }] : []),
    ...(pids ? [{ what: 'processes', used: pids.current, limit: finite(pids.max) }] : []),
    ...(cpu ? [{ what: 'CPU seconds', used: Number(cpu.usage / 1_000_000n) / 1000, limit: -1 }] : []),
  ];
};

const finite = (limit: number): number => (Number.isFinite(limit) ? limit : -1);
