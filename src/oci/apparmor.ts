import { failedPrecondition, invalidArgument } from '../errors.js';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.js';
import type { SecurityProfile__Output } from '../gen/runtime/v1/SecurityProfile.js';
import type { HostFacts } from './spec-input.js';

/** A profile name as aa-exec takes one; it is written to the kernel after the word "exec ". */
const NAME = /^[^\s\p{C}]{1,255}$/u;

const LEGACY_LOCALHOST = 'localhost/';

/**
 * The AppArmor profile of the process, or undefined for none. A profile that was asked for by name and cannot be applied refuses the
 * container; only the unspecific RuntimeDefault is nothing on a host without AppArmor.
 */
export function apparmorProfile(
  context: LinuxContainerSecurityContext__Output | null | undefined,
  host: HostFacts,
): string | undefined {
  const profile = context?.apparmor ?? legacyProfile(context?.apparmorProfile ?? '');
  switch (profile.profileType) {
    case 'Unconfined':
      return host.lsms.includes('apparmor') ? 'unconfined' : undefined;
    case 'RuntimeDefault':
      return context?.privileged || !host.lsms.includes('apparmor') ? undefined : host.apparmorDefault;
    case 'Localhost':
      if (!NAME.test(profile.localhostRef))
        throw invalidArgument(
          `not the name of a profile: AppArmor localhost_ref ${JSON.stringify(profile.localhostRef)}`,
        );
      if (!host.lsms.includes('apparmor'))
        throw failedPrecondition(
          `AppArmor is not enabled on this node: profile ${profile.localhostRef}; leave it out or enable AppArmor`,
        );
      return profile.localhostRef;
    default:
      throw invalidArgument(`unknown AppArmor profile type: ${JSON.stringify(profile.profileType)}`);
  }
}

/** apparmor_profile of kubelets before 1.30. */
function legacyProfile(name: string): SecurityProfile__Output {
  if (name === '' || name === 'runtime/default') return { profileType: 'RuntimeDefault', localhostRef: '' };
  if (name === 'unconfined') return { profileType: 'Unconfined', localhostRef: '' };
  if (name.startsWith(LEGACY_LOCALHOST))
    return { profileType: 'Localhost', localhostRef: name.slice(LEGACY_LOCALHOST.length) };
  throw invalidArgument(`unknown apparmor_profile: ${JSON.stringify(name)}`);
}
