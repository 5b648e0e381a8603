import { invalidArgument, RuntimeError } from '../base/errors.js';
import { checkResources, type LimitsHost } from './check-resources.js';
import { containerPath } from './container-path.js';
import { isMountWord } from './mount-options.js';
import { RLIMIT_NUMBERS } from './rlimits.js';
import type { OciDevice, OciHook, OciMount, OciProcess, OciRlimit, OciSpec } from './spec.js';

/**
 * What can be wrong with a specification, whoever has written into it. `writers`, those beside the request and the image, are named.
 * @throws INVALID_ARGUMENT
 */
export function checkSpec(spec: OciSpec, host: LimitsHost, writers = ''): void {
  try {
    checkProcess(spec.process);
    checkGroups(spec);
    for (const mount of spec.mounts) checkMount(mount);
    for (const device of spec.linux.devices) checkDevice(device);
    for (const hook of Object.values(spec.hooks ?? {}).flat()) checkHook(hook as OciHook);
    checkResources(spec.linux.resources, host);
  } catch (error) {
    if (writers === '' || !(error instanceof RuntimeError)) throw error;
    throw new RuntimeError(error.code, `${error.message} (the container was adjusted by ${writers})`, { cause: error });
  }
}

function checkProcess({ args, env, oomScoreAdj = 0, rlimits }: OciProcess): void {
  if (!Number.isInteger(oomScoreAdj) || oomScoreAdj < -1000 || oomScoreAdj > 1000)
    throw invalidArgument(`not a whole number from -1000 to 1000: oom_score_adj is ${oomScoreAdj}`);
  if (!args[0]) throw invalidArgument('no command: the arguments of the process are empty');
  for (const text of [...args, ...env])
    if (text.includes('\0')) throw invalidArgument(`NUL character: ${quoted(text)} of the process`);
  const nameless = env.find((entry) => entry.indexOf('=') < 1);
  if (nameless !== undefined) throw invalidArgument(`no name: environment variable ${quoted(nameless)}`);
  for (const rlimit of rlimits) checkRlimit(rlimit);
}

/** A group that the user namespace does not have is refused by the kernel when it is too late to say why. */
function checkGroups({ process, linux: { gidMappings } }: OciSpec): void {
  const stranger = process.user.additionalGids.find(
    (gid) => !(gidMappings ?? ALL_IDS).some(({ containerID, size }) => gid >= containerID && gid < containerID + size),
  );
  if (stranger !== undefined) throw invalidArgument(`no such group in the container: additional group ${stranger}`);
}

/** (gid_t)-1 means "no change" to the kernel. */
const ALL_IDS = [{ containerID: 0, size: 0xffff_ffff }];

const U64 = /^\d{1,20}$/;

function checkRlimit({ type, soft, hard }: OciRlimit): void {
  if (!Object.hasOwn(RLIMIT_NUMBERS, type))
    throw invalidArgument(`unknown resource limit: ${quoted(type)}; write for example RLIMIT_NOFILE`);
  for (const value of [soft, hard])
    if (!U64.test(value) || BigInt(value) > 0xffff_ffff_ffff_ffffn)
      throw invalidArgument(`not an unsigned 64-bit number: ${type} ${quoted(value)}`);
  if (BigInt(soft) > BigInt(hard)) throw invalidArgument(`above its hard limit ${hard}: ${type} ${soft}`);
}

/** File systems of a container's own, which the supervisor can make. */
const FILE_SYSTEMS: ReadonlySet<string> = new Set(['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2']);

function checkMount({ destination, type, source, options }: OciMount): void {
  if (containerPath(destination, 'destination of a mount') === '/')
    throw invalidArgument('destination of a mount is the root: "/"; the root comes from the image');
  if (options.includes('rro') && options.some((word) => word === 'rshared' || word === 'rslave'))
    throw invalidArgument(`read-only in depth and with propagation: mount ${destination}; use rprivate`);
  if (type !== 'bind') {
    if (!FILE_SYSTEMS.has(type))
      throw invalidArgument(
        `unknown type: ${quoted(type)} of mount ${destination}; known: bind, ${[...FILE_SYSTEMS].join(', ')}`,
      );
    return;
  }
  if (!source.startsWith('/') || source.includes('\0'))
    throw invalidArgument(`not an absolute path: source ${quoted(source)} of mount ${destination}`);
  const stranger = options.find((word) => !isMountWord(word));
  if (stranger !== undefined)
    throw invalidArgument(`unknown option: ${quoted(stranger)} of the bind mount on ${destination}`);
}

function checkDevice({ path, type, major, minor }: OciDevice): void {
  containerPath(path, 'path of a device');
  if (type !== 'c' && type !== 'b')
    throw invalidArgument(`neither "c" nor "b": type ${quoted(type)} of device ${path}`);
  if (![major, minor].every(Number.isInteger) || major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
    throw invalidArgument(`not the numbers of a device: ${major}:${minor} of ${path}`);
}

function checkHook({ path, timeout }: OciHook): void {
  if (!path.startsWith('/') || path.includes('\0')) throw invalidArgument(`not an absolute path: hook ${quoted(path)}`);
  if (timeout !== undefined && !(timeout > 0)) throw invalidArgument(`not above 0: timeout ${timeout} of hook ${path}`);
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 64));
