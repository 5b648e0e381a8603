import { failedPrecondition, invalidArgument } from '../base/errors.js';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.js';
import type { SecurityProfile__Output } from '../gen/runtime/v1/SecurityProfile.js';
import { checkReference } from './seccomp-profile.js';
import type { HostFacts } from './spec-input.js';

/** A profile name as aa-exec takes one; it is written to the kernel after the word "exec ". */
const NAME = /^[^\s\p{C}]{1,255}$/u;

/** Old kubelets and clients write it before the name, in the field as in the string. */
const LOCALHOST = 'localhost/';

/**
 * The AppArmor profile of the process, or undefined for none. What was asked for and cannot be met refuses the container; only where
 * nothing was asked for, or the node has no AppArmor at all, the default is left out. `apparmor` wins over `apparmor_profile`.
 */
export function apparmorProfile(
  context: LinuxContainerSecurityContext__Output | null | undefined,
  host: HostFacts,
): string | undefined {
  const enabled = host.lsms.includes('apparmor');
  const profile = context?.apparmor ?? legacyProfile(context?.apparmorProfile ?? '');
  if (profile) checkReference(profile, 'apparmor');
  switch (profile?.profileType) {
    case undefined:
      return enabled ? (context?.privileged ? 'unconfined' : host.apparmorDefault) : undefined;
    case 'Unconfined':
      return enabled ? 'unconfined' : undefined;
    case 'RuntimeDefault':
      if (!enabled) return undefined;
      if (context?.privileged) return 'unconfined';
      if (host.apparmorDefault === undefined)
        throw failedPrecondition(
          'the default AppArmor profile is not loaded on this node: install apparmor_parser and restart jangada',
        );
      return host.apparmorDefault;
    case 'Localhost':
      return localhostProfile(profile.localhostRef, enabled);
    default:
      throw invalidArgument(`unknown AppArmor profile type: ${JSON.stringify(profile?.profileType)}`);
  }
}

function localhostProfile(reference: string, enabled: boolean): string {
  const name = reference.startsWith(LOCALHOST) ? reference.slice(LOCALHOST.length) : reference;
  if (!NAME.test(name))
    throw invalidArgument(`not the name of a profile: AppArmor localhost_ref ${JSON.stringify(reference)}`);
  if (!enabled)
    throw failedPrecondition(`AppArmor is not enabled on this node: profile ${name}; leave it out or enable AppArmor`);
  return name;
}

/** apparmor_profile of kubelets before 1.30; an empty one asks for nothing. */
function legacyProfile(name: string): SecurityProfile__Output | undefined {
  if (name === '') return undefined;
  if (name === 'runtime/default') return { profileType: 'RuntimeDefault', localhostRef: '' };
  if (name === 'unconfined') return { profileType: 'Unconfined', localhostRef: '' };
  if (name.startsWith(LOCALHOST)) return { profileType: 'Localhost', localhostRef: name };
  throw invalidArgument(`unknown apparmor_profile: ${JSON.stringify(name)}`);
}
