import * as z from 'zod';
import { invalidArgument } from '../base/errors.js';
import { isNative, nativeArches } from './seccomp-arch.js';
import type { OciSeccomp, SeccompArch, SeccompRule } from './spec.js';

const MAX_TEXT = 1 << 20;

const ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_LOG',
  'SCMP_ACT_ALLOW',
] as const;

/** "If the action doesn't support errnoRet, the runtime MUST return an error" (config-linux.md). */
const RETURNING: ReadonlySet<string> = new Set(['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE']);

const OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;

const FLAGS = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'] as const;

/** Architectures the specification knows; those of other machines say nothing about this one and are left out. */
const ARCH = /^SCMP_ARCH_[A-Z0-9_]{2,16}$/;

const errno = z.number().int().min(0).max(4095);
const u64 = z
  .union([z.number().int().min(0), z.string().regex(/^\d{1,20}$/)])
  .transform((value) => BigInt(value))
  .refine((value) => value <= 0xffff_ffff_ffff_ffffn, 'does not fit 64 bits')
  .transform(String);

const Arg = z.strictObject({
  index: z.number().int().min(0).max(5),
  value: u64,
  valueTwo: u64.default('0'),
  op: z.enum(OPERATORS),
});

const Rule = z
  .strictObject({
    names: z
      .array(z.string().regex(/^[a-z0-9_]{1,64}$/i))
      .min(1)
      .max(2048),
    action: z.enum(ACTIONS),
    errnoRet: errno.optional(),
    args: z
      .array(Arg)
      .max(6)
      .nullish()
      .transform((args) => args ?? []),
    comment: z.string().optional(),
  })
  .transform(({ names, action, errnoRet, args }) => ({
    names,
    action,
    args,
    ...(errnoRet === undefined ? {} : { errnoRet }),
  }));

const Profile = z.strictObject({
  defaultAction: z.enum(ACTIONS),
  defaultErrnoRet: errno.optional(),
  architectures: z.array(z.string().regex(ARCH)).max(32).nullish(),
  flags: z.array(z.enum(FLAGS)).max(FLAGS.length).nullish(),
  syscalls: z.array(Rule).max(4096).nullish(),
  comment: z.string().optional(),
});

/**
 * A seccomp profile from the text of a file on the node, in the runtime specification's form (config-linux.md, "Seccomp").
 * @throws INVALID_ARGUMENT for anything that is not understood in full: a profile that is half applied is no profile (CVE-2023-2431).
 */
export function parseSeccompProfile(text: string, path: string, arch: 'x64' | 'arm64'): OciSeccomp {
  if (text.length > MAX_TEXT) throw invalidArgument(`larger than ${MAX_TEXT} bytes: seccomp profile ${path}`);
  const result = Profile.safeParse(parseJson(exactNumbers(text), path));
  if (!result.success) {
    const issue = result.error.issues[0];
    throw invalidArgument(`${issue?.message} at ${issue?.path.join('.') || 'the top'}: seccomp profile ${path}`);
  }
  const { defaultAction, defaultErrnoRet, architectures, flags, syscalls } = result.data;
  const rules: SeccompRule[] = syscalls ?? [];
  checkArgs(rules, path);
  for (const { action, errnoRet } of [{ action: defaultAction, errnoRet: defaultErrnoRet }, ...rules])
    if (errnoRet !== undefined && !RETURNING.has(action))
      throw invalidArgument(`errnoRet with ${action}, which returns none: seccomp profile ${path}`);
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: usable(architectures ?? [], arch, path),
    flags: flags ?? [],
    syscalls: rules,
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`not JSON: seccomp profile ${path}: ${(error as Error).message}`, error);
  }
}

/** `"value": 18446744073709551615` would lose its low bits as a JSON number, and so compare with something else: kept as text. */
const exactNumbers = (text: string): string =>
  text.replace(/("value(?:Two)?"\s*:\s*)(\d{16,20})(?=\s*[,}])/g, '$1"$2"');

/** Some runtimes read two conditions on one argument as alternatives, some as both: a rule must not depend on it (CVE-2017-18367). */
function checkArgs(rules: readonly SeccompRule[], path: string): void {
  for (const { names, args } of rules)
    if (new Set(args.map(({ index }) => index)).size < args.length)
      throw invalidArgument(
        `two conditions on one argument: rule for ${names[0]} in seccomp profile ${path}; write one rule for each value or use SCMP_CMP_MASKED_EQ`,
      );
}

/** No list at all means the machine's own architecture, as for every other runtime. */
function usable(named: readonly string[], arch: 'x64' | 'arm64', path: string): SeccompArch[] {
  if (named.length === 0) return nativeArches(arch).slice(0, 1);
  const arches = [...new Set(named)].filter((name): name is SeccompArch => isNative(name, arch));
  if (arches.length === 0) throw invalidArgument(`none of this machine's architectures: seccomp profile ${path}`);
  return arches;
}
