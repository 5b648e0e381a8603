import { invalidArgument } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { SecurityProfile__Output } from '../gen/runtime/v1/SecurityProfile.js';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.js';

/** Which seccomp profile a container asks for. */
export type SeccompChoice = { kind: 'none' } | { kind: 'default' } | { kind: 'localhost'; path: string };

/** The file on the node that the caller reads and hands to buildSpec as text; undefined when the profile is in no file. */
export function seccompSource(config: Pick<ContainerConfig__Output, 'linux'>): string | undefined {
  const choice = seccompChoice(config.linux?.securityContext);
  return choice.kind === 'localhost' ? choice.path : undefined;
}

const LEGACY_LOCALHOST = 'localhost/';

/**
 * No profile means unconfined and a privileged container has none (api.proto, LinuxContainerSecurityContext). Everything that is not
 * exactly one of the three types is refused: never "no profile, so no filter" (CVE-2023-2431).
 */
export function seccompChoice(context: LinuxContainerSecurityContext__Output | null | undefined): SeccompChoice {
  if (!context || context.privileged) return { kind: 'none' };
  if (!context.seccomp) return legacySource(context.seccompProfilePath);
  checkReference(context.seccomp, 'seccomp');
  switch (context.seccomp.profileType) {
    case 'RuntimeDefault':
      return { kind: 'default' };
    case 'Unconfined':
      return { kind: 'none' };
    case 'Localhost':
      return localhost(context.seccomp.localhostRef);
    default:
      throw invalidArgument(`unknown seccomp profile type: ${JSON.stringify(context.seccomp.profileType)}`);
  }
}

/** "Must only be set if ProfileType is Localhost" (api.proto, SecurityProfile.localhost_ref). */
export function checkReference({ profileType, localhostRef }: SecurityProfile__Output, field: string): void {
  if (localhostRef !== '' && profileType !== 'Localhost')
    throw invalidArgument(
      `set although profile_type is ${profileType}: localhost_ref ${JSON.stringify(localhostRef)} of ${field}`,
    );
}

/** seccomp_profile_path of kubelets before 1.19. */
function legacySource(path: string): SeccompChoice {
  if (path === '' || path === 'unconfined') return { kind: 'none' };
  if (path === 'runtime/default' || path === 'docker/default') return { kind: 'default' };
  if (path.startsWith(LEGACY_LOCALHOST)) return localhost(path.slice(LEGACY_LOCALHOST.length));
  throw invalidArgument(`unknown seccomp_profile_path: ${JSON.stringify(path)}`);
}

function localhost(path: string): SeccompChoice {
  if (!path.startsWith('/') || path.includes('\0') || path.split('/').includes('..'))
    throw invalidArgument(`not an absolute path: localhost_ref ${JSON.stringify(path)} of the seccomp profile`);
  return { kind: 'localhost', path };
}
