import { internal } from '../base/errors.js';
import { apparmorProfile } from './apparmor.js';
import { capabilitySets } from './capabilities.js';
import { defaultSeccomp } from './default-seccomp.js';
import { containerDevices } from './devices.js';
import { containerMounts, rootfsPropagation } from './mounts.js';
import { containerNamespaces } from './namespaces.js';
import { privateMounts, type PrivateMounts, publishedMounts } from './private-mounts.js';
import { guardedPaths } from './paths.js';
import { processArgs, processCwd, processEnv } from './process.js';
import { linuxResources, oomScoreAdj } from './resources.js';
import { defaultRlimits } from './rlimits.js';
import { parseSeccompProfile } from './seccomp-parse.js';
import { seccompChoice } from './seccomp-profile.js';
import { type SelinuxLabels, selinuxLabels } from './selinux.js';
import { OCI_VERSION, type OciLinux, type OciProcess, type OciSeccomp, type OciSpec } from './spec.js';
import type { SpecInput } from './spec-input.js';
import { resolveUser } from './user.js';
import { checkMapped, checkOnNode, idMappings } from './userns.js';

/**
 * The OCI runtime specification of a container: a pure function of its input, of which it changes and shares nothing (CVE-2021-21334).
 * @throws RuntimeError INVALID_ARGUMENT, FAILED_PRECONDITION or UNIMPLEMENTED for a request that cannot be met exactly.
 */
export function buildSpec(input: SpecInput): OciSpec {
  const context = input.config.linux?.securityContext;
  const privileged = context?.privileged ?? false;
  const labels = selinuxLabels(context, input.selinuxLevel ?? '', input.host.selinux);
  const process = ociProcess(input, privileged, labels);
  const mounts = publishedMounts(containerMounts(input, privileged, labels?.mount));
  return {
    ociVersion: OCI_VERSION,
    process,
    root: { path: 'rootfs', readonly: context?.readonlyRootfs ?? false },
    mounts,
    annotations: annotations(input),
    linux: {
      ...ociLinux(input, privileged, process),
      ...(labels && { mountLabel: labels.mount }),
      rootfsPropagation: rootfsPropagation(mounts),
    },
  };
}

/** What `buildSpec` leaves out of the mounts that the container is to have. */
export function requestedPrivateMounts(input: SpecInput): PrivateMounts {
  const context = input.config.linux?.securityContext;
  const labels = selinuxLabels(context, input.selinuxLevel ?? '', input.host.selinux);
  return privateMounts(containerMounts(input, context?.privileged ?? false, labels?.mount));
}

function ociProcess(input: SpecInput, privileged: boolean, labels: SelinuxLabels | undefined): OciProcess {
  const { config, host, image } = input;
  const context = config.linux?.securityContext;
  const { home, ...user } = resolveUser(context, image.config, image.identity);
  checkMapped(user.uid, 'user', input.userns);
  for (const gid of user.additionalGids) checkMapped(gid, 'group', input.userns);
  checkOnNode(user.uid, 'user', host.mappedIds);
  for (const gid of [user.gid, ...user.additionalGids]) checkOnNode(gid, 'group', host.mappedIds);
  const oom = oomScoreAdj(config.linux?.resources);
  const apparmor = apparmorProfile(context, host);
  return {
    terminal: config.tty,
    user,
    args: processArgs(config.command, config.args, image.config),
    env: processEnv(input, home),
    cwd: processCwd(config.workingDir, image.config),
    capabilities: capabilitySets({
      capabilities: context?.capabilities,
      privileged,
      available: input.userns ? host.knownCapabilities : host.capabilities,
    }),
    rlimits: defaultRlimits(host.maxOpenFiles, input.ulimits),
    noNewPrivileges: context?.noNewPrivs ?? false,
    oomScoreAdj: oom,
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    ...(labels && { selinuxLabel: labels.process }),
  };
}

function ociLinux(input: SpecInput, privileged: boolean, process: OciProcess): Omit<OciLinux, 'rootfsPropagation'> {
  const { config, host } = input;
  const context = config.linux?.securityContext;
  const { nodes, rules } = containerDevices(
    config.devices,
    input.hostDevices ?? [],
    privileged && !input.withoutHostDevices,
  );
  const paths = guardedPaths(context, privileged, input.userns !== undefined, host);
  const seccomp = seccompProfile(input, process);
  return {
    namespaces: containerNamespaces(config, input.sandboxConfig, privileged, input.userns),
    ...(input.userns && idMappings(input.userns)),
    devices: nodes,
    cgroupsPath: input.cgroupsPath,
    resources: { ...linuxResources(config.linux?.resources, input.pidsLimit), devices: rules },
    ...(seccomp === undefined ? {} : { seccomp }),
    maskedPaths: paths.masked,
    readonlyPaths: paths.readonly,
  };
}

function seccompProfile(input: SpecInput, process: OciProcess): OciSeccomp | undefined {
  const choice = seccompChoice(input.config.linux?.securityContext);
  switch (choice.kind) {
    case 'none':
      return undefined;
    case 'default':
      return defaultSeccomp(process.capabilities.bounding, input.host.arch);
    case 'localhost':
      if (input.localhostSeccomp === undefined) throw internal(`not read: seccomp profile ${choice.path}`);
      return parseSeccompProfile(input.localhostSeccomp, choice.path, {
        arch: input.host.arch,
        kernel: input.host.kernel,
        bounding: process.capabilities.bounding,
      });
  }
}

/** The annotations that NRI and CDI look for. None comes from the pod or the image: those carry no power here (CVE-2024-3154). */
function annotations(input: SpecInput): Record<string, string> {
  const { metadata } = input.sandboxConfig;
  return {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.container-name': input.config.metadata?.name ?? '',
    'io.kubernetes.cri.image-name': input.config.image?.userSpecifiedImage || (input.config.image?.image ?? ''),
    'io.kubernetes.cri.sandbox-id': input.sandboxId,
    'io.kubernetes.cri.sandbox-name': metadata?.name ?? '',
    'io.kubernetes.cri.sandbox-namespace': metadata?.namespace ?? '',
    'io.kubernetes.cri.sandbox-uid': metadata?.uid ?? '',
  };
}
