import * as z from 'zod';
import type { OciHooks } from '../../oci/spec.js';

const STAGES = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;

const pattern = z.string().transform((text, context) => {
  try {
    return new RegExp(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** A hook of a directory and the containers that it is for, version 1.0.0: oci-hooks(5) of containers-common. */
const HookFileSchema = z.strictObject({
  version: z.literal('1.0.0'),
  hook: z.strictObject({
    path: z.string().regex(/^\//, 'must be an absolute path'),
    args: z.array(z.string()).optional(),
    env: z.array(z.string()).optional(),
    timeout: z.number().int().min(1).optional(),
  }),
  when: z.strictObject({
    always: z.boolean().optional(),
    annotations: z
      .record(z.string(), pattern)
      .transform((patterns, context) =>
        Object.entries(patterns).map(([key, value]) => {
          const name = pattern.safeParse(key);
          if (!name.success) context.addIssue({ code: 'custom', message: `annotation ${key} is no pattern` });
          return [name.data ?? value, value] as const;
        }),
      )
      .optional(),
    commands: z.array(pattern).optional(),
    hasBindMounts: z.boolean().optional(),
  }),
  stages: z.array(z.enum(STAGES)).min(1),
});

export type HookFile = z.infer<typeof HookFileSchema>;
export type When = HookFile['when'];

/** A file that cannot be used; the message says why. */
export class HookFileError extends Error {
  override readonly name = 'HookFileError';
}

/** @throws HookFileError */
export const parseHookFile = (text: string): HookFile => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new HookFileError(`not JSON: ${(error as Error).message}`, { cause: error });
  }
  const { data, error } = HookFileSchema.safeParse(json);
  const issue = error?.issues[0];
  if (!data) throw new HookFileError(`${issue?.path.join('.') || 'the file'}: ${issue?.message}`);
  return data;
};

/** In each of its stages. */
export const hooksOfFile = ({ hook, stages }: HookFile): OciHooks => {
  const { path, args, env, timeout } = hook;
  const one = { path, ...(args && { args }), ...(env && { env }), ...(timeout !== undefined && { timeout }) };
  return Object.fromEntries(stages.map((stage) => [stage, [one]]));
};
