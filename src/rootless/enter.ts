import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../base/config.js';
import { failedPrecondition } from '../base/errors.js';
import { refusal } from '../daemon/fitness.js';
import type { NativeAddon } from '../native/addon.js';
import { type NetworkHelper, networkHelper, resolverText } from './network-helper.js';
import { judgeRootless } from './rootless-fitness.js';
import { probeRootless, type RootlessProbe } from './rootless-probe.js';
import { idCount, mapArguments } from './subordinate-ids.js';

/**
 * Becomes the same program again, as root of the user's own namespaces. They are made by the first daemon and outlive it with its pods; every
 * later one enters them again. Returns only by an error.
 */
export const enterNamespaces = (
  config: Pick<Config, 'state' | 'streaming'>,
  supervisor: string,
  addon: Pick<NativeAddon, 'execute'>,
): never => {
  const probe = probeRootless(process.env);
  const reason = refusal(judgeRootless(probe));
  if (reason !== undefined) throw failedPrecondition(`no rootless daemon on this host: ${reason}`);
  mkdirSync(config.state, { recursive: true, mode: 0o700 });
  chmodSync(config.state, 0o700);
  const helper = networkHelper((program) => (probe.tun ? probe[program] : undefined), config.streaming.port);
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const lists = [...maps(probe), helper?.command ?? [], resolverBind(config.state, helper), program];
  const words = [
    supervisor,
    'rootless',
    namespacesFile(config),
    ...lists.flatMap((list) => [...list, '--']).slice(0, -1),
  ];
  return addon.execute(words);
};

/** Holds the pid of a process in the namespaces; whoever ends it ends them. */
export const namespacesFile = ({ state }: Pick<Config, 'state'>): string => join(state, 'namespaces.pid');

/** Commands that map users and groups; none: a single ID. */
const maps = ({ subuid, subgid, newuidmap, newgidmap, user: { uid, gid } }: RootlessProbe): [string[], string[]] =>
  newuidmap && newgidmap && idCount(subuid) > 0 && idCount(subgid) > 0
    ? [
        [newuidmap, 'PID', ...mapArguments(uid, subuid)],
        [newgidmap, 'PID', ...mapArguments(gid, subgid)],
      ]
    : [[], []];

const RESOLV_CONF = '/etc/resolv.conf';

const resolverBind = (state: string, helper: NetworkHelper | undefined): string[] => {
  if (!helper || !existsSync(RESOLV_CONF)) return [];
  const own = join(state, 'resolv.conf');
  writeFileSync(own, resolverText(readFileSync(RESOLV_CONF, 'utf8'), helper.resolver), { mode: 0o644 });
  return [own, realpathSync(RESOLV_CONF)];
};
