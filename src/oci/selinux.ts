import { invalidArgument } from '../errors.js';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.js';
import type { HostFacts } from './spec-input.js';

const PART = /^[A-Za-z0-9_.]{1,128}$/;
const LEVEL = /^s\d{1,4}(-s\d{1,4})?(:c\d{1,4}([.,]c\d{1,4})*)?$/;

const DEFAULTS = { user: 'system_u', role: 'system_r', type: 'container_t', level: 's0' };

/**
 * The SELinux label of the process. Without SELinux on the host the options mean nothing, as for every runtime: manifests carry them to
 * all nodes alike. A privileged container without options is not confined.
 */
export function selinuxLabel(
  context: LinuxContainerSecurityContext__Output | null | undefined,
  host: HostFacts,
): string | undefined {
  const options = context?.selinuxOptions;
  if (!host.lsms.includes('selinux') || (context?.privileged && !options)) return undefined;
  const part = (name: 'user' | 'role' | 'type' | 'level') => {
    const value = options?.[name] || DEFAULTS[name];
    if (!(name === 'level' ? LEVEL : PART).test(value))
      throw invalidArgument(`not an SELinux ${name}: ${JSON.stringify(value)} in selinux_options`);
    return value;
  };
  return `${part('user')}:${part('role')}:${part('type')}:${part('level')}`;
}
