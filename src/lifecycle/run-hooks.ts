import { deadlineExceeded, failedPrecondition, type RuntimeError } from '../base/errors.js';
import { hookArgv, hookTimeoutMs } from '../oci/hooks.js';
import type { OciHook } from '../oci/spec.js';
import type { HostCommandResult } from '../supervisor/spawner.js';
import type { SpawnerService } from './spawner-service.js';
import { asRuntimeError } from './supervisor-error.js';

/** Kept of what a hook writes: its end, where a program says why. */
const MAX_OUTPUT = 1024;

/** Runs a hook in the runtime's namespaces. @throws RuntimeError when it cannot be run or has failed. */
export const runHook = async (
  spawner: Pick<SpawnerService, 'run'>,
  stage: string,
  hook: OciHook,
  state: object,
): Promise<void> => {
  const timeoutMs = hookTimeoutMs(hook);
  const command = {
    program: hook.path,
    argv: hookArgv(hook),
    env: Object.fromEntries((hook.env ?? []).map(nameAndValue)),
    stdin: JSON.stringify(state),
    timeoutMs,
    maxOutput: MAX_OUTPUT,
  };
  const result = await spawner.run(command).catch((error: unknown) => {
    throw asRuntimeError(error, `${stage} hook ${hook.path}`);
  });
  const failure = failureOf(result, `${stage} hook ${hook.path}`, timeoutMs);
  if (failure) throw failure;
};

const failureOf = (result: HostCommandResult, what: string, timeoutMs: number): RuntimeError | undefined => {
  const { code, signal, timedOut } = result;
  if (timedOut) return deadlineExceeded(`killed after ${timeoutMs} ms: ${what}${said(result)}`);
  if (code === 0) return undefined;
  return failedPrecondition(
    `${code === null ? `killed by signal ${signal}` : `exit code ${code}`}: ${what}${said(result)}`,
  );
};

const said = ({ stdout, stderr }: HostCommandResult): string => {
  const output = stderr.length > 0 ? stderr : stdout;
  const text = output
    .toString()
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  return text === '' ? '' : `: ${text}`;
};

const nameAndValue = (entry: string): [string, string] => {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
};
