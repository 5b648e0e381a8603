import { signalName } from '../oci/stop-signal.js';
import { type Container, containerState } from '../store/container.js';
import type { Passage } from './timelines.js';

/** Why a container has ended, or does not run. */
export interface Why {
  readonly state: string;
  /** One sentence. */
  readonly cause: string;
  /** What else is known of it, a line each. */
  readonly facts: readonly string[];
  /** What to do; empty when there is nothing to be done. */
  readonly remedy: string;
}

type Ended = Pick<
  Container,
  | 'config'
  | 'exitCode'
  | 'finishedAt'
  | 'image'
  | 'killAt'
  | 'limits'
  | 'message'
  | 'reason'
  | 'startedAt'
  | 'stopSignal'
>;

const SIGNAL_BASE = 128;
const SIGKILL = 9;

/** Judges by what was recorded: what the kernel and the supervisor said, and what clients had asked for. */
export const why = (container: Ended & Pick<Container, 'stage'>, passages: readonly Passage[]): Why => {
  const state = containerState(container as Container);
  const failed = passages.findLast(({ error }) => error !== undefined);
  if (state === 'CONTAINER_RUNNING')
    return { state, cause: `it runs, since ${shown(container.startedAt)}`, facts: [], remedy: '' };
  if (state === 'CONTAINER_CREATED')
    return failed
      ? { state, cause: `${failed.what} failed: ${failed.error}`, facts: [], remedy: '' }
      : { state, cause: 'it is made, and nobody has started it', facts: [], remedy: 'StartContainer starts it' };
  return { state, ...ended(container), facts: factsOf(container) };
};

const ended = (container: Ended): Pick<Why, 'cause' | 'remedy'> => {
  const { exitCode, message, reason, limits } = container;
  if (reason === 'ContainerStatusUnknown') return { cause: `nobody saw its end: ${message}`, remedy: '' };
  if (reason === 'StartError')
    return { cause: `it could not be started: ${message}`, remedy: 'see its command and its mounts' };
  if (reason === 'OOMKilled') {
    const limit = limits.memory?.limit;
    return {
      cause: `the kernel killed it because memory ran out: ${limit ? `its limit is ${limit} bytes` : 'it has no limit, the node or its pod ran out'}`,
      remedy: limit ? 'give it more memory, or have its program take less' : 'limit what takes the memory of the node',
    };
  }
  return byStop(container) ?? byCode(exitCode);
};

/** Whether StopContainer had asked for it. */
const byStop = ({ exitCode, killAt, stopSignal }: Ended): Pick<Why, 'cause' | 'remedy'> | undefined => {
  if (killAt === undefined) return undefined;
  const asked = `it was stopped on request: ${named(stopSignal)} was sent`;
  return exitCode === SIGNAL_BASE + SIGKILL
    ? {
        cause: `${asked}, it had not ended in its grace period, and was killed`,
        remedy: `have its program end on ${named(stopSignal)}, or give it more time`,
      }
    : { cause: `${asked}, and it ended with exit code ${exitCode}`, remedy: '' };
};

const byCode = (exitCode: number): Pick<Why, 'cause' | 'remedy'> => {
  if (exitCode === 0) return { cause: 'its program was done (exit code 0)', remedy: '' };
  if (exitCode === 127 || exitCode === 126)
    return {
      cause: `a shell did not find a command, or could not run it (exit code ${exitCode})`,
      remedy: 'its log names the command',
    };
  const signal = exitCode - SIGNAL_BASE;
  if (signal === 31)
    return {
      cause: 'its seccomp profile killed it, or it was sent SIGSYS (exit code 159)',
      remedy: 'see the kernel log for the system call; allow it in the profile',
    };
  if (signal > 0 && signal <= 64)
    return {
      cause: `a signal ended it, or its program says so: ${named(signal)} (exit code ${exitCode})`,
      remedy: signal === SIGKILL ? 'see the kernel log, and who may kill on this node' : 'its log may tell more',
    };
  return { cause: `its program ended by itself with exit code ${exitCode}`, remedy: 'its log tells more' };
};

const factsOf = ({ image, config, startedAt, finishedAt, message, limits }: Ended): string[] =>
  [
    `image: ${image.name ?? image.id}`,
    `command: ${[...config.command, ...config.args].join(' ') || "the image's own"}`,
    limits.memory?.limit ? `memory limit: ${limits.memory.limit} bytes` : '',
    startedAt === '0' ? 'never started' : `started: ${shown(startedAt)}`,
    `ended: ${shown(finishedAt)}`,
    message === '' ? '' : `message: ${message}`,
  ].filter((line) => line !== '');

/** Without the CRI's prefix. */
const named = (signal: number): string => signalName(signal).replace('SIGNAL_', '');

/** Nanoseconds since the epoch, for people. */
const shown = (nanoseconds: string): string => new Date(Number(BigInt(nanoseconds) / 1_000_000n)).toISOString();
