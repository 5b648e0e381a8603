import { limitWrites } from '../cgroup/resources.js';
import { scopeOf, sliceOf } from '../cgroup/slice.js';
import { limitProperties, scopeProperties } from '../cgroup/unit-properties.js';
import { changedLimits, type LimitsChange } from '../cgroup/update.js';
import { unavailable } from '../base/errors.js';
import type { OciLimits } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { encodeUpdatePlan } from '../supervisor/plan-encoding.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

type Parts = Pick<Runtime, 'cgroups' | 'systemd'>;
type Place = Pick<Container, 'id' | 'cgroupPath' | 'external'>;

/**
 * Has systemd make the scope that a container is to be born in. systemd makes one around a process only, and there is none yet: the
 * supervisor lends one until CREATE (native/README.md draws it). A container whose cgroup is a plain directory needs nothing of this, and
 * an external runtime has the scope made around its own process.
 */
export const makeScope = async (
  parts: Parts,
  supervisor: Supervisor,
  { id, cgroupPath, external }: Place,
  limits: OciLimits,
): Promise<void> => {
  const scope = scopeOf(cgroupPath);
  const slice = sliceOf(cgroupPath.slice(0, cgroupPath.lastIndexOf('/')));
  if (!scope || !slice || external) return;
  const pid = await supervisor.hold(id);
  await asked(scope, parts.systemd.start(scope, scopeProperties(id, slice, pid, limitProperties(limits))));
};

/** Limits the scope that an external runtime had made, whose container has not been started yet, as one that we have made is. */
export const limitScope = async (
  parts: Parts,
  supervisor: Pick<Supervisor, 'update'>,
  { id, cgroupPath, external }: Place,
  limits: OciLimits,
): Promise<void> => {
  const scope = scopeOf(cgroupPath);
  if (!scope || !external) return;
  const properties = limitProperties(limits);
  try {
    if (properties.length > 0) await asked(scope, parts.systemd.setProperties(scope, properties));
    await supervisor.update(id, encodeUpdatePlan(limitWrites(parts.cgroups, cgroupPath, limits)));
  } catch (error) {
    throw asRuntimeError(error, `limits of container ${id}`);
  }
};

/** Has systemd remember changed limits, so that it does not write the old ones again. True when it may have written files itself. */
export const updateScope = async (
  parts: Parts,
  { cgroupPath }: Pick<Container, 'cgroupPath'>,
  limits: LimitsChange,
): Promise<boolean> => {
  const scope = scopeOf(cgroupPath);
  const properties = scope ? limitProperties(changedLimits(limits)) : [];
  if (!scope || properties.length === 0) return false;
  await asked(scope, parts.systemd.setProperties(scope, properties));
  return true;
};

/** Ends the scope of a container that is gone. systemd does so by itself as a rule: it collects what is empty. */
export const endScope = async (parts: Pick<Runtime, 'systemd'>, { cgroupPath }: Pick<Container, 'cgroupPath'>) => {
  const scope = scopeOf(cgroupPath);
  if (scope) await asked(scope, parts.systemd.stop(scope));
};

const asked = async (unit: string, work: Promise<void>): Promise<void> => {
  try {
    await work;
  } catch (error) {
    throw unavailable(`${(error as Error).message}: systemd unit ${unit}; see systemctl status ${unit}`, error);
  }
};
