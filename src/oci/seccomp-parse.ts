import { constants } from 'node:os';
import { invalidArgument, unimplemented } from '../base/errors.js';
import { isKernelAtLeast } from '../base/kernel-version.js';
import { GO_ARCH, isNative, nativeArches } from './seccomp-arch.js';
import { isMoreLenient, type NamedAction, Profile, type ProfileRule, type Where } from './seccomp-schema.js';
import type { OciSeccomp, SeccompAction, SeccompArch, SeccompFlag, SeccompRule } from './spec.js';

const MAX_TEXT = 1 << 20;

/** What the rules of a profile may depend on. */
export interface SeccompTarget {
  readonly arch: 'x64' | 'arm64';
  /** As uname(2) tells it. */
  readonly kernel: string;
  /** Capabilities that the container can have. */
  readonly bounding: readonly string[];
}

/**
 * A seccomp profile from the text of a file on the node, as far as it is meant for this container on this machine.
 * @throws INVALID_ARGUMENT for what would be a weaker profile if it were left out: half of a profile is none (CVE-2023-2431);
 *   UNIMPLEMENTED for notifications.
 */
export function parseSeccompProfile(text: string, path: string, target: SeccompTarget): OciSeccomp {
  const of = `seccomp profile ${path}`;
  const profile = readProfile(text, of);
  const { defaultAction } = profile;
  const defaultErrnoRet = errnoOf(defaultAction, profile.defaultErrno, profile.defaultErrnoRet, of);
  return {
    defaultAction: known(defaultAction, of),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: usable(profile, target.arch),
    flags: profile.flags.filter((flag): flag is SeccompFlag => flag !== 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'),
    syscalls: profile.syscalls
      .filter(({ includes, excludes }) => holds(includes, target, true) && !holds(excludes, target, false))
      .flatMap((rule) => alternatives(ociRule(rule, of), defaultAction, of)),
  };
}

function readProfile(text: string, of: string): Profile {
  if (text.length > MAX_TEXT) throw invalidArgument(`larger than ${MAX_TEXT} bytes: ${of}`);
  const result = Profile.safeParse(parseJson(exactNumbers(text), of));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalidArgument(`${issue?.message} at ${issue?.path.join('.') || 'the top'}: ${of}`);
}

function parseJson(text: string, of: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`not JSON: ${of}: ${(error as Error).message}`, error);
  }
}

/** `"value": 18446744073709551615` would lose its low bits as a JSON number, and so compare with something else: kept as text. */
const exactNumbers = (text: string): string =>
  text.replace(/("value(?:Two)?"\s*:\s*)(\d{16,20})(?=\s*[,}])/gi, '$1"$2"');

/** `excludes` is met by any one of its capabilities, `includes` by all of them, as in containers-common and moby. */
const holds = (where: Where | undefined, { arch, kernel, bounding }: SeccompTarget, all: boolean): boolean => {
  const { arches = [], caps = [], minKernel } = where ?? {};
  const [major = 0, minor = 0] = (minKernel ?? '').split('.').map(Number);
  const answers = [
    ...(arches.length > 0 ? [arches.includes(GO_ARCH[arch])] : []),
    ...caps.map((capability) => bounding.includes(capability)),
    ...(minKernel === undefined ? [] : [isKernelAtLeast(kernel, major, minor)]),
  ];
  return all ? answers.every(Boolean) : answers.some(Boolean);
};

function ociRule({ name, names, action, errnoRet, errno, args }: ProfileRule, of: string): SeccompRule {
  const returned = errnoOf(action, errno, errnoRet, of);
  return {
    names: name === undefined ? names : [name, ...names],
    action: known(action, of),
    args,
    ...(returned === undefined ? {} : { errnoRet: returned }),
  };
}

function known(action: NamedAction, of: string): SeccompAction {
  if (action === 'SCMP_ACT_NOTIFY')
    throw unimplemented(`no listener for notifications: SCMP_ACT_NOTIFY in ${of}; use SCMP_ACT_ERRNO or SCMP_ACT_LOG`);
  return action;
}

/** Other actions return none, and a number beside them means nothing. The name wins, as in containers-common. */
function errnoOf(
  action: NamedAction,
  name: string | undefined,
  number: number | undefined,
  of: string,
): number | undefined {
  if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE') return undefined;
  if (!name) return number;
  const named = Object.entries(constants.errno).find(([known]) => known === name)?.[1];
  if (named === undefined) throw invalidArgument(`unknown errno ${JSON.stringify(name)}: ${of}; give it as errnoRet`);
  return named;
}

/**
 * Several conditions on one argument are alternatives, each a rule of its own, as for runc. One who meant that all of them hold is given a
 * stricter profile if the rule denies, and a weaker one if it allows: that is refused but where nothing else can be meant (CVE-2017-18367).
 */
function alternatives(rule: SeccompRule, defaultAction: NamedAction, of: string): SeccompRule[] {
  const { names, action, args } = rule;
  const indexes = new Set(args.map(({ index }) => index)).size;
  if (indexes === args.length) return [rule];
  const unambiguous = indexes === 1 && args.every(({ op }) => op === 'SCMP_CMP_EQ');
  if (isMoreLenient(action, defaultAction) && !unambiguous)
    throw invalidArgument(
      `several conditions on one argument, and ${action} if any of them holds: rule for ${names[0]} in ${of}; write one rule for each value or use SCMP_CMP_MASKED_EQ`,
    );
  return args.map((arg) => ({ ...rule, args: [arg] }));
}

/** The machine's own architecture is always among them, as with libseccomp; those of other machines say nothing about this one. */
function usable({ architectures, archMap }: Profile, arch: 'x64' | 'arm64'): SeccompArch[] {
  const [own] = nativeArches(arch);
  const mapped = archMap.find(({ architecture }) => architecture === own)?.subArchitectures ?? [];
  const named = architectures.length > 0 ? architectures : mapped;
  return [...new Set([own, ...named.filter((name): name is SeccompArch => isNative(name, arch))])];
}
