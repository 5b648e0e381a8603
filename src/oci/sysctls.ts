import { invalidArgument } from '../base/errors.js';
import type { NamespaceMode__Output } from '../gen/runtime/v1/NamespaceMode.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';

export interface Sysctl {
  /** As sysctl(8) prints it: a `.` between names, a `/` for a `.` in one. */
  key: string;
  value: string;
}

/** Characters of every value the kernel prints for these keys. No line break, no NUL, no "|" of core_pattern (CVE-2022-0811). */
const VALUE = /^[A-Za-z0-9 \t_.,:*-]{1,1000}$/;
/** Neither separator begins, ends or follows another: no name is empty, `.` or `..`. */
const KEY = /^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$/;

/** Which namespace holds a key; only these may be set for a pod. */
const OWNERS: ReadonlyArray<{ namespace: 'network' | 'ipc'; key: RegExp }> = [
  { namespace: 'network', key: /^net\./ },
  { namespace: 'ipc', key: /^kernel\.(shmmax|shmall|shmmni|shm_rmid_forced|msgmax|msgmnb|msgmni|sem)$/ },
  { namespace: 'ipc', key: /^fs\.mqueue\.[a-z_]+$/ },
];

/** What a pod with a network of its own may do without a capability for it (the `containers` section of the configuration). */
export interface Unprivileged {
  /** Listen on ports below 1024. */
  readonly enable_unprivileged_ports: boolean;
  /** Send ICMP echo requests. */
  readonly enable_unprivileged_icmp: boolean;
}

/** GROUP_MAX of the kernel, and one. */
const MOST_GROUPS = 2 ** 31;

/**
 * The pod's sysctls, checked: each belongs to a namespace that is the pod's own. One that is the host's would change the node
 * (CVE-2022-0532), however its key is spelled. Before them what the node allows all pods; the pod has the last word.
 */
export function sandboxSysctls(
  config: Pick<PodSandboxConfig__Output, 'linux'>,
  allowed: Unprivileged,
  mappedIds: number = MOST_GROUPS,
): Sysctl[] {
  const options = config.linux?.securityContext?.namespaceOptions;
  const modes = { network: options?.network ?? 'POD', ipc: options?.ipc ?? 'POD' };
  const own = Object.entries(config.linux?.sysctls ?? {}).map(([name, value]) => checked(name, value, modes));
  if (modes.network === 'NODE') return own;
  const defaults: Sysctl[] = [];
  if (allowed.enable_unprivileged_ports) defaults.push({ key: 'net.ipv4.ip_unprivileged_port_start', value: '0' });
  // The kernel takes only groups that the user namespace has (net/ipv4/sysctl_net_ipv4.c).
  if (allowed.enable_unprivileged_icmp && options?.usernsOptions?.mode !== 'POD')
    defaults.push({ key: 'net.ipv4.ping_group_range', value: `0 ${mappedIds - 1}` });
  return [...defaults.filter(({ key }) => !own.some((sysctl) => sysctl.key === key)), ...own];
}

function checked(name: string, value: string, modes: Record<'network' | 'ipc', NamespaceMode__Output>): Sysctl {
  const key = dotted(name);
  const owner = OWNERS.find((candidate) => candidate.key.test(key));
  if (!owner) throw invalidArgument(`not a setting of a pod's namespaces: sysctl ${JSON.stringify(name)}`);
  if (modes[owner.namespace] === 'NODE')
    throw invalidArgument(
      `would change the node: sysctl ${name} in a pod on the host's ${owner.namespace} namespace; leave it out`,
    );
  if (!VALUE.test(value))
    throw invalidArgument(`unexpected characters: value ${JSON.stringify(value.slice(0, 64))} of sysctl ${name}`);
  return { key, value: value.replaceAll('\t', ' ') };
}

/**
 * One spelling of a key: `net/ipv4/ip_forward` is `net.ipv4.ip_forward`. Which separator comes first says what both mean (sysctl(8)):
 * `net/ipv4/conf/eth0.100/rp_filter` is `net.ipv4.conf.eth0/100.rp_filter`. Checks by prefix must see what the kernel will see.
 */
function dotted(name: string): string {
  const [first] = /[./]/.exec(name) ?? [];
  const key = first === '/' ? name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : name;
  if (name.length > 255 || !KEY.test(key))
    throw invalidArgument(`not the name of a sysctl: ${JSON.stringify(name.slice(0, 64))}`);
  return key;
}

/** Parameters of one interface, but for those that stand for all, and the loopback, which is there from the beginning. */
const INTERFACE = /^net\.(ipv[46]\.(conf|neigh)|mpls\.conf)\.(?!(all|default|lo)\.)/;

/** Whether CNI plugins must have made what a setting is of before it can be set. */
export const isOfInterface = ({ key }: Sysctl): boolean => INTERFACE.test(key);

/** As the supervisor takes it. */
export const sysctlText = ({ key, value }: Sysctl): string => `${key}=${value}`;
