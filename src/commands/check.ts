import type { Config } from '../base/config.js';
import { judgeCdi } from '../daemon/cdi-fitness.js';
import { exitStatus, judge, judgeForUser } from '../daemon/fitness.js';
import { probeHost } from '../daemon/host-probe.js';
import { nativePrograms } from '../daemon/native-programs.js';
import { CdiDevices } from '../extend/cdi/cdi-devices.js';
import { loadAddon } from '../native/addon.js';
import { judgeRootless } from '../rootless/rootless-fitness.js';
import { probeRootless } from '../rootless/rootless-probe.js';
import { table } from './table.js';

const HEADERS = ['CHECK', 'STATE', 'FOUND', 'WHAT IT COSTS', 'WAY OUT'];

/** Prints whether this host is fit for the daemon, the user's own when `rootless`; resolves to the exit status of `exitStatus`. */
export const runCheck = async (config: Config, rootless: boolean, output: string): Promise<number> => {
  const probe = probeHost(config, loadAddon(), Object.values(nativePrograms));
  const host = rootless ? [...judgeForUser(probe), ...judgeRootless(probeRootless(process.env))] : judge(probe);
  // Devices are no matter of the daemon's start: only here all their files are read.
  const cdi = await new CdiDevices(config.cdi.spec_dirs, { warn: () => undefined }).report();
  const findings = [...host, judgeCdi(cdi)];
  const rows = findings.map(({ what, state, found, cost, remedy }) => [what, state, found, cost, remedy]);
  process.stdout.write(output === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : table(HEADERS, rows));
  return exitStatus(findings);
};
