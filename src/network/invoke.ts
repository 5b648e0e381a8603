import { status } from '@grpc/grpc-js';
import { RuntimeError } from '../base/errors.js';
import { type Attachment, cniArgs, IFNAME } from './attachment.js';
import type { NetworkConfig, PluginConfig } from './config.js';
import { MARK } from './orphans.js';
import { findPlugin } from './plugin.js';
import type { RawResult } from './result.js';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

export interface Command {
  kind: CniCommand;
  argv: string[];
  env: Record<string, string>;
  stdin: string;
  timeoutMs: number;
  maxOutput: number;
}

export interface CommandResult {
  code: number | null;
  signal: number | null;
  stdout: Buffer;
  stderr: Buffer;
  timedOut: boolean;
}

export type RunCommand = (command: Command) => Promise<CommandResult>;

/** Where plugins are and how they are run. */
export interface PluginHost {
  readonly binDirs: readonly string[];
  readonly run: RunCommand;
  readonly timeoutMs: number;
  /** Owner that plugins must have; root but for tests. */
  readonly trustedUid: number;
}

export interface Invocation {
  readonly command: CniCommand;
  readonly config: NetworkConfig;
  readonly plugin: PluginConfig;
  /** Absent for STATUS and GC, which are about the network as a whole. */
  readonly attachment?: Attachment;
  /** Empty when the namespace is gone: DEL must cope with that (CNI specification, section 2). */
  readonly netns?: string;
  readonly prevResult?: RawResult | undefined;
  readonly validAttachments?: ReadonlyArray<{ containerID: string; ifname: string }>;
}

/** Nothing of the daemon's own environment reaches a plugin. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MAX_OUTPUT = 1 << 20;
const TRY_AGAIN_LATER = 11;

/** Nobody saw the plugin end: it may still be at work. */
export class UnsettledError extends RuntimeError {}

/** Runs one plugin and gives what it wrote on stdout; rejects with the plugin's own words when it failed. */
export const invoke = async (host: PluginHost, invocation: Invocation): Promise<Buffer> => {
  const found = findPlugin(invocation.plugin.type, host.binDirs, host.trustedUid);
  if ('error' in found) throw new RuntimeError(status.FAILED_PRECONDITION, found.error);
  const result = await run(host, invocation, found.path);
  if (result.timedOut) {
    throw new UnsettledError(
      status.DEADLINE_EXCEEDED,
      `no answer within ${host.timeoutMs / 1000} s${wrote(result)}: ${subject(invocation)} was killed`,
    );
  }
  // A result is neither: an ADD that says so and exits as if all were well has failed, too.
  if (result.code !== 0 || (invocation.command === 'ADD' && parseError(result.stdout)))
    throw failure(invocation, result);
  return result.stdout;
};

const run = async (host: PluginHost, invocation: Invocation, path: string): Promise<CommandResult> => {
  try {
    return await host.run({
      kind: invocation.command,
      argv: [path],
      env: environment(invocation, host.binDirs),
      stdin: JSON.stringify(executionConfig(invocation)),
      timeoutMs: host.timeoutMs,
      maxOutput: MAX_OUTPUT,
    });
  } catch (error) {
    if (error instanceof RuntimeError)
      throw new RuntimeError(error.code, `${error.message}: ${subject(invocation)} was not run`, { cause: error });
    throw new UnsettledError(status.UNAVAILABLE, `${(error as Error).message}: ${subject(invocation)} did not end`, {
      cause: error,
    });
  }
};

export const environment = (invocation: Invocation, binDirs: readonly string[]): Record<string, string> => {
  const base = { CNI_COMMAND: invocation.command, CNI_PATH: binDirs.join(':'), PATH };
  const { attachment } = invocation;
  if (!attachment) return base;
  return {
    ...base,
    CNI_CONTAINERID: attachment.sandboxId,
    CNI_NETNS: invocation.netns ?? '',
    CNI_IFNAME: IFNAME,
    CNI_ARGS: cniArgs(attachment),
    [MARK]: attachment.sandboxId,
  };
};

/** CNI specification, section 3, "Deriving execution configuration from plugin configuration". */
export const executionConfig = (invocation: Invocation): Record<string, unknown> => {
  const { config, plugin, attachment, prevResult, validAttachments } = invocation;
  const runtimeConfig = attachment ? capabilityValues(plugin, attachment) : {};
  return {
    ...plugin.raw,
    name: config.name,
    cniVersion: config.cniVersion,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(prevResult && { prevResult }),
    ...(validAttachments && { 'cni.dev/valid-attachments': validAttachments }),
  };
};

/**
 * Only what the plugin declared, and only what the pod has: an empty value would already change what some plugins do.
 */
const capabilityValues = (plugin: PluginConfig, attachment: Attachment): Record<string, unknown> => {
  const offered: Record<string, unknown> = {
    portMappings: attachment.portMappings.length > 0 ? attachment.portMappings : undefined,
    bandwidth: attachment.bandwidth ?? undefined,
    dns: attachment.dns ?? undefined,
    'io.kubernetes.cri.pod-annotations':
      Object.keys(attachment.annotations).length > 0 ? attachment.annotations : undefined,
    cgroupPath: attachment.cgroupParent || undefined,
  };
  return Object.fromEntries(
    Object.entries(offered).filter(([name, value]) => plugin.capabilities[name] && value !== undefined),
  );
};

const subject = ({ command, plugin, config, attachment }: Invocation): string => {
  const pod = attachment ? ` for pod ${attachment.podNamespace}/${attachment.podName}` : '';
  return `CNI plugin "${plugin.type}" (${command}${pod}, network "${config.name}")`;
};

/**
 * CNI specification, section 5, "Error": an object on stdout; a plugin that crashed says something on stderr at best.
 */
const failure = (invocation: Invocation, result: CommandResult): RuntimeError => {
  const { code, signal, stdout, stderr } = result;
  const report = parseError(stdout);
  if (report) {
    const cause = [report.msg, report.details].filter(Boolean).join(': ');
    const grpcCode = report.code === TRY_AGAIN_LATER ? status.UNAVAILABLE : status.INTERNAL;
    const besides = wrote({ stderr });
    return new RuntimeError(
      grpcCode,
      `${clip(cause)} (CNI error ${report.code})${besides}: ${subject(invocation)} failed`,
      { cause: report },
    );
  }
  const how = signal ? `was killed by signal ${signal}` : `exited with code ${code}`;
  const said = [stderr, stdout].map(text).filter(Boolean).join('; ');
  return new RuntimeError(status.INTERNAL, `${said || 'no error message'}: ${subject(invocation)} ${how}`);
};

/** What a plugin wrote, as an insertion; empty when it wrote nothing. */
export const wrote = ({ stderr, stdout }: { stderr?: Buffer; stdout?: Buffer }): string => {
  const said = [stderr, stdout].map((output) => (output ? text(output) : '')).filter(Boolean);
  return said.length === 0 ? '' : ` (it wrote: ${said.join('; ')})`;
};

export interface CniError {
  readonly code: number;
  readonly msg: string;
  readonly details: string;
}

/** Undefined when it is none; what the plugin wrote is then shown as it stands. */
export const parseError = (stdout: Buffer): CniError | undefined => {
  try {
    const { code, msg, details = '' } = JSON.parse(stdout.toString('utf8')) as Record<string, unknown>;
    if (typeof code !== 'number' || typeof msg !== 'string') return undefined;
    return { code, msg, details: typeof details === 'string' ? details : JSON.stringify(details) };
  } catch {
    return undefined;
  }
};

const text = (output: Buffer): string => clip(output.toString('utf8').trim());

/** The beginning says what, the end of a long one why. */
const clip = (words: string): string =>
  words.length > 2000 ? `${words.slice(0, 1400)} … ${words.slice(-600)}` : words;
