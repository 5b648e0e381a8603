import * as z from 'zod';

/** From the strictest to the most lenient: the kernel's own order among several filters (seccomp(2)). */
const ACTIONS = [
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_NOTIFY',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_LOG',
  'SCMP_ACT_ALLOW',
] as const;

export type NamedAction = (typeof ACTIONS)[number];

export const isMoreLenient = (action: NamedAction, than: NamedAction): boolean =>
  ACTIONS.indexOf(action) > ACTIONS.indexOf(than);

const OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;

const FLAGS = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
] as const;

/** Keys as Go's encoding/json matches them, whatever their case: a second spelling of `args` that went unread would allow more. null is absence. */
function likeGo(known: readonly string[]): (value: unknown) => unknown {
  const canonical = new Map(known.map((key) => [key.toLowerCase(), key]));
  return (value) =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value).flatMap(([key, of]) =>
            of === null ? [] : [[canonical.get(key.toLowerCase()) ?? key, of]],
          ),
        );
}

const loose = <S extends z.ZodRawShape>(shape: S) => z.preprocess(likeGo(Object.keys(shape)), z.object(shape));

const strict = <S extends z.ZodRawShape>(shape: S) => z.preprocess(likeGo(Object.keys(shape)), z.strictObject(shape));

const returned = z.number().int().min(0).max(0xffff); // SECCOMP_RET_DATA
const word = z.string().max(64);

const u64 = z
  .union([z.number().int().min(0), z.string().regex(/^\d{1,20}$/)])
  .transform((value) => BigInt(value))
  .refine((value) => value <= 0xffff_ffff_ffff_ffffn, 'does not fit 64 bits')
  .transform(String);

const Arg = loose({
  index: z.number().int().min(0).max(5).default(0),
  value: u64.default('0'),
  valueTwo: u64.default('0'),
  op: z.enum(OPERATORS),
});

/** Strict: of a condition that is not understood nobody knows whether it holds. */
const Where = strict({
  caps: z.array(word).max(64).default([]),
  arches: z.array(word).max(64).default([]),
  minKernel: z
    .string()
    .regex(/^\d{1,4}\.\d{1,4}$/)
    .optional(),
});

export type Where = z.output<typeof Where>;

const Rule = loose({
  name: word.optional(),
  names: z
    .array(z.string().regex(/^[a-z0-9_]{1,64}$/i))
    .max(2048)
    .default([]),
  action: z.enum(ACTIONS),
  errnoRet: returned.optional(),
  errno: word.optional(),
  args: z.array(Arg).max(256).default([]),
  includes: Where.optional(),
  excludes: Where.optional(),
});

export type ProfileRule = z.output<typeof Rule>;

/**
 * A profile as runc takes it (runtime specification, config-linux.md, "Seccomp") and as the default profiles of containers-common and moby
 * are written. Keys that nobody knows are left alone, as every other runtime leaves them.
 */
export const Profile = loose({
  defaultAction: z.enum(ACTIONS),
  defaultErrnoRet: returned.optional(),
  defaultErrno: word.optional(),
  architectures: z.array(word).max(64).default([]),
  archMap: z
    .array(loose({ architecture: word, subArchitectures: z.array(word).max(64).default([]) }))
    .max(64)
    .default([]),
  flags: z.array(z.enum(FLAGS)).max(16).default([]),
  syscalls: z.array(Rule).max(4096).default([]),
});

export type Profile = z.output<typeof Profile>;
