import { existsSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { DEFAULT_APPARMOR, defaultAppArmor } from '../oci/default-apparmor.js';
import type { SpawnerService } from './spawner-service.js';

/** By its absolute path: a PATH is somebody else's to set (CVE-2026-41567 is this). Both are one file where /sbin is a link. */
export const PARSERS = ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser'];
const POLICY = '/etc/apparmor.d';
const LOAD_MS = 30_000;
const OUTPUT_MAX = 4096;

/**
 * Loads the default profile, again at every start, so that an upgrade of the daemon brings its own; processes under the former one
 * get it too. Answers its name, or undefined when it cannot be loaded: then who asks for RuntimeDefault by name is refused.
 */
export const loadDefaultAppArmor = async (
  spawner: Pick<SpawnerService, 'run'>,
  log: Pick<Logger, 'warn'>,
): Promise<string | undefined> => {
  const parser = PARSERS.find((path) => existsSync(path));
  if (!parser) {
    log.warn(
      { looked: PARSERS },
      'no apparmor_parser: containers run without the default AppArmor profile; install apparmor',
    );
    return undefined;
  }
  const text = defaultAppArmor({
    daemon: ownLabel(),
    abi: existsSync(`${POLICY}/abi/3.0`),
    tunables: existsSync(`${POLICY}/tunables/global`) && existsSync(`${POLICY}/abstractions/base`),
  });
  try {
    // Nothing is read from or written to the parser's cache: what is loaded is what was compiled from this text.
    const { code, stderr } = await spawner.run({
      argv: [parser, '--replace', '--skip-cache', '--quiet'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdin: text,
      timeoutMs: LOAD_MS,
      maxOutput: OUTPUT_MAX,
    });
    if (code === 0) return DEFAULT_APPARMOR;
    log.warn({ parser, code, output: stderr.toString().trim() }, 'the default AppArmor profile cannot be loaded');
  } catch (error) {
    log.warn({ err: error, parser }, 'the default AppArmor profile cannot be loaded');
  }
  return undefined;
};

/** `name (enforce)` or `unconfined`. */
const ownLabel = (): string => {
  try {
    return (
      readFileSync('/proc/self/attr/apparmor/current', 'utf8')
        .trim()
        .replace(/ \(\w+\)$/, '') || 'unconfined'
    );
  } catch {
    return 'unconfined'; // before Linux 5.8 only /proc/self/attr/current exists, and no other module fills it on such a host
  }
};
