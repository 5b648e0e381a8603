import { invalidArgument } from '../errors.js';
import type { NamespaceMode__Output } from '../gen/runtime/v1/NamespaceMode.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';

export interface Sysctl {
  /** Dotted, as `sysctl -a` prints it: a "/" inside a part stands for a dot in a name, e.g. `net.ipv4.conf.eth0/1.forwarding`. */
  key: string;
  value: string;
}

/** Letters of every value the kernel prints for these keys. No line break, no NUL, no "|" of core_pattern (CVE-2022-0811). */
const VALUE = /^[A-Za-z0-9 \t_.,:*-]{1,4096}$/;
const PART = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/;

/** Which namespace holds a key; only these may be set for a pod. */
const OWNERS: ReadonlyArray<{ namespace: 'network' | 'ipc' | 'uts'; key: RegExp }> = [
  { namespace: 'network', key: /^net\../ },
  { namespace: 'ipc', key: /^kernel\.(shmmax|shmall|shmmni|shm_rmid_forced|msgmax|msgmnb|msgmni|sem)$/ },
  { namespace: 'ipc', key: /^fs\.mqueue\.[a-z_]+$/ },
  { namespace: 'uts', key: /^kernel\.domainname$/ },
];

/**
 * The pod's sysctls, checked: each belongs to a namespace that is the pod's own. One that is the host's would change the node
 * (CVE-2022-0532), however its key is spelled.
 */
export function sandboxSysctls(config: Pick<PodSandboxConfig__Output, 'linux'>): Sysctl[] {
  const options = config.linux?.securityContext?.namespaceOptions;
  const network = options?.network ?? 'POD';
  const modes = { network, ipc: options?.ipc ?? 'POD', uts: network };
  return Object.entries(config.linux?.sysctls ?? {}).map(([name, value]) => checked(name, value, modes));
}

function checked(name: string, value: string, modes: Record<'network' | 'ipc' | 'uts', NamespaceMode__Output>): Sysctl {
  const key = dotted(name);
  const owner = OWNERS.find((candidate) => candidate.key.test(key));
  if (!owner) throw invalidArgument(`not a setting of a pod's namespaces: sysctl ${JSON.stringify(name)}`);
  if (modes[owner.namespace] === 'NODE')
    throw invalidArgument(`would change the node: sysctl ${name} in a pod on the host's ${owner.namespace} namespace; leave it out`);
  if (!VALUE.test(value)) throw invalidArgument(`unexpected characters: value ${JSON.stringify(value.slice(0, 64))} of sysctl ${name}`);
  return { key, value };
}

/** sysctl(8): the first separator in a key decides which of "." and "/" separates its parts. */
function dotted(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  const key = separator === '/' ? name.replace(/[./]/g, (sign) => (sign === '/' ? '.' : '/')) : name;
  const parts = key.split('.');
  if (name.length > 255 || parts.length < 2 || !parts.every((part) => PART.test(part)))
    throw invalidArgument(`not the name of a sysctl: ${JSON.stringify(name.slice(0, 64))}`);
  return key;
}
