import { existsSync } from 'node:fs';
import { cgroupDirectories } from '../cgroup/paths.js';
import type { PlanOp } from '../gen/plan.js';
import { apparmorProfile } from '../oci/apparmor.js';
import { selinuxLabels } from '../oci/selinux.js';
import type { Sandbox } from '../store/sandbox.js';
import { encodePodInitPlan } from '../supervisor/plan-encoding.js';
import type { ContainerCgroup } from './container-cgroup.js';
import type { Runtime } from './runtime.js';

type Cgroups = Pick<Runtime, 'cgroups' | 'cgroupDriver' | 'containerCgroups'>;
type Parts = Cgroups & Pick<Runtime, 'supervisors' | 'turns' | 'host'>;

/**
 * The pid of the first process of the PID namespace that a pod's containers share; it is started where there is none. Containers with
 * CAP_SYS_PTRACE drive it, so that it is of the pod in all that the kernel counts and guards: it has a cgroup in the pod's, as the pause
 * container of peers has, and the label of a container that asks for nothing.
 */
export const podInit = (parts: Parts, sandbox: Sandbox): Promise<number> =>
  parts.turns.run(`init of ${sandbox.id}`, async () => {
    const supervisor = parts.supervisors.require(sandbox.id);
    const { podInitPid } = await supervisor.list();
    if (podInitPid > 0) return podInitPid;
    const cgroup = cgroupOf(parts, sandbox);
    await cgroup.begin(supervisor, sandbox.id, {});
    try {
      return await supervisor.sharePid(encodePodInitPlan([...directories(cgroup), ...labels(parts, sandbox)]));
    } finally {
      await cgroup.release(supervisor, sandbox.id);
    }
  });

/** Nothing is in its cgroup any more when this is called: it ends with the supervisor. */
export const endPodInitCgroup = async (
  parts: Cgroups,
  sandbox: Pick<Sandbox, 'id' | 'cgroupParent'>,
): Promise<void> => {
  if (sandbox.cgroupParent === '') return;
  const cgroup = cgroupOf(parts, sandbox);
  if (!cgroupDirectories(parts.cgroups, cgroup.path).some((directory) => existsSync(directory))) return;
  await cgroup.kill();
  await cgroup.end();
};

const cgroupOf = (
  { cgroupDriver, containerCgroups }: Cgroups,
  { id, cgroupParent }: Pick<Sandbox, 'id' | 'cgroupParent'>,
): ContainerCgroup => containerCgroups.of(cgroupDriver.containerCgroup(cgroupParent, id));

/** Without limits of its own. */
const directories = (cgroup: ContainerCgroup): PlanOp[] =>
  cgroup.ops({ devices: [] }).filter(({ op }) => op === 'cgroup-dir');

const labels = ({ host }: Pick<Parts, 'host'>, { config, selinuxLevel = '' }: Sandbox): PlanOp[] => {
  const profile = apparmorProfile(undefined, host);
  const selinuxOptions = config.linux?.securityContext?.selinuxOptions ?? null;
  const label = selinuxLabels({ selinuxOptions, privileged: false }, selinuxLevel, host.selinux)?.process;
  return [
    ...(profile === undefined ? [] : [{ op: 'apparmor', profile } as const]),
    ...(label === undefined ? [] : [{ op: 'selinux', label } as const]),
  ];
};
