/**
 * How tools that look at a node from outside find the container of a process: the rule of each, written anew from what it does. None of
 * them knows jangada; a path that a rule does not take makes its tool take the container's processes for the host's.
 */
export interface Agent {
  readonly tool: string;
  /** The container's ID by a cgroup path below the hierarchy's root, as /proc/PID/cgroup shows it; tools keep 12 digits or all. */
  readonly find: (cgroupPath: string) => string | undefined;
}

const lastName = (path: string): string => path.split('/').at(-1) ?? '';

/** The first group of the first of these that matches. */
const firstMatch =
  (...rules: RegExp[]) =>
  (text: string): string | undefined =>
    rules.map((rule) => rule.exec(text)?.[1]).find((id) => id !== undefined);

const FALCO_LAYOUTS: ReadonlyArray<[prefix: string, suffix: string]> = [
  ['/cri-containerd-', '.scope'],
  ['/crio-', '.scope'],
  ['/', ''],
  ['/crio-', ''],
  [':cri-containerd:', ''],
];

/** plugins/container, matchers: what stands between the last prefix and the last suffix has to be 64 hexadecimal digits. */
const falco = (path: string): string | undefined => {
  for (const [prefix, suffix] of FALCO_LAYOUTS) {
    const begin = path.lastIndexOf(prefix);
    const end = suffix === '' ? path.length : path.lastIndexOf(suffix);
    const id = begin < 0 || end < 0 ? '' : path.slice(begin + prefix.length, end);
    if (/^[0-9a-f]{64}$/.test(id)) return id.slice(0, 12);
  }
  return undefined;
};

/** pkg/sensors, procevents: what follows the last separator of the last name, if it is long enough. */
const tetragon = (path: string): string | undefined => {
  const name = lastName(path).replace(/\.scope$/, '');
  const id = name.slice(Math.max(name.lastIndexOf('-'), name.lastIndexOf(':')) + 1);
  return id.length >= 64 ? id.slice(0, 31) : undefined;
};

const isSystemd = (path: string): boolean => path.includes('.slice');

/** pkg/cgroups/manager/provider.go: a known prefix with the systemd driver, the bare ID with the other. */
const cilium = (path: string): string | undefined =>
  isSystemd(path)
    ? /^(?:cri-containerd|crio|docker)-([0-9a-f]{64})\.scope$/.exec(lastName(path))?.[1]
    : /^([0-9a-f]{64})$/.exec(lastName(path))?.[1];

/** pkg/util/cgroups/reader.go: 64 digits anywhere in the last name, but for mounts and conmon. */
const datadog = (path: string): string | undefined =>
  /\.mount$|crio-conmon-/.test(lastName(path)) ? undefined : /([0-9a-f]{64})/.exec(lastName(path))?.[1];

export const AGENTS: readonly Agent[] = [
  { tool: 'Falco', find: falco },
  { tool: 'Cilium', find: cilium },
  { tool: 'Tetragon', find: tetragon },
  { tool: 'Datadog', find: datadog },
  { tool: 'cAdvisor', find: firstMatch(/([a-z0-9]{64})(?:\.scope)?$/) },
  {
    tool: 'Coroot',
    find: firstMatch(
      /crio-([a-z0-9]{64})/,
      /cri-containerd[-:]([a-z0-9]{64})/,
      /(?:docker-|\/)([a-z0-9]{64})(?:\.scope)?/,
    ),
  },
  {
    tool: 'agents with a closed list',
    find: firstMatch(/(?:cri-containerd|crio|docker)-([0-9a-f]{64})\.scope$/, /\/([0-9a-f]{64})$/),
  },
];

/** Whose container a file of /var/log/containers is, as Fluent Bit, Fluentd, Vector and Promtail read its name. */
export const LOG_NAME =
  /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*)_([^_]+)_(.+)-([a-z0-9]{64})\.log$/;

/** A line of a log as their parsers named "cri" read it. */
export const LOG_LINE = /^(\S+) (stdout|stderr) (\S*) (.*)$/;
