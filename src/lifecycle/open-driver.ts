import { type CgroupDriver, cgroupfsDriver, chooseDriver, systemdDriver } from '../cgroup/driver.js';
import type { CgroupLayout } from '../cgroup/layout.js';
import type { Config } from '../base/config.js';
import { failedPrecondition } from '../base/errors.js';
import { isSystemdHost, type Systemd } from '../systemd/systemd.js';

/** The first systemd that knows every property we set: AllowedCPUs came last. */
const OLDEST_SYSTEMD = 244;

/** The cgroup driver of this configuration on this host. */
export const openCgroupDriver = async (
  { containers }: Pick<Config, 'containers'>,
  layout: CgroupLayout,
  systemd: Systemd,
): Promise<CgroupDriver> => {
  const {
    cgroup_driver: configured,
    cgroup_writable: writable,
    default_cgroup_parent: parent,
    scope_prefix: prefix,
  } = containers;
  if (writable && (layout.mode !== 'v2' || !layout.v2?.nsdelegate))
    throw failedPrecondition(
      'containers could raise their own limits: containers.cgroup_writable needs cgroup v2 alone, mounted with nsdelegate',
    );
  if (chooseDriver(configured, layout.mode, isSystemdHost()) === 'cgroupfs') return cgroupfsDriver(parent);
  const version = Number.parseInt(String(await systemd.property('Version')), 10);
  if (version < OLDEST_SYSTEMD)
    throw failedPrecondition(
      `systemd ${version} is too old for its cgroup driver, which needs ${OLDEST_SYSTEMD}; set containers.cgroup_driver = "cgroupfs"`,
    );
  return systemdDriver(String(await systemd.property('ControlGroup')).replace(/\/$/, ''), prefix, parent);
};
