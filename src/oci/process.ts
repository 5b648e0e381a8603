import { invalidArgument } from '../base/errors.js';
import type { KeyValue__Output } from '../gen/runtime/v1/KeyValue.js';
import type { ImageConfig, SpecInput } from './spec-input.js';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The command: `command` replaces the image's entrypoint and with it the image's arguments, `args` replaces the image's arguments
 * (api.proto, ContainerConfig.command and .args).
 */
export function processArgs(command: readonly string[], args: readonly string[], image: ImageConfig): string[] {
  const entrypoint = command.length > 0 ? command : (image.entrypoint ?? []);
  const imageArgs = command.length > 0 ? [] : (image.cmd ?? []);
  const argv = [...entrypoint, ...(args.length > 0 ? args : imageArgs)];
  if (!argv[0]) throw invalidArgument('no command: neither the container nor its image names one; set command or args');
  const bad = argv.find((word) => word.includes('\0'));
  if (bad !== undefined) throw invalidArgument(`NUL character in the command: ${JSON.stringify(bad.slice(0, 64))}`);
  return argv;
}

/**
 * The environment: built from an empty map, so that nothing of the daemon's own can appear (CVE-2021-3602). An image's entries without
 * a name or a value are dropped instead of looked up anywhere (CVE-2026-57231); the request wins over the image; the last one wins.
 */
export function processEnv(input: SpecInput, home: string): string[] {
  const env = new Map<string, string>([['PATH', DEFAULT_PATH]]);
  if (input.hostname !== '') env.set('HOSTNAME', input.hostname);
  if (input.config.tty) env.set('TERM', 'xterm');
  for (const entry of input.image.config.env ?? []) {
    const equals = entry.indexOf('=');
    if (equals > 0 && !entry.includes('\0')) env.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  for (const { key, value } of input.config.envs) env.set(envName(key), envValue(key, value));
  if (!env.has('HOME')) env.set('HOME', home);
  return Array.from(env, ([name, value]) => `${name}=${value}`);
}

function envName(name: string): string {
  if (name === '' || /[=\0]/.test(name))
    throw invalidArgument(`environment variable name is empty or contains "=" or NUL: ${JSON.stringify(name)}`);
  return name;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function envValue(name: string, value: KeyValue__Output['value']): string {
  let text: string;
  try {
    text = UTF8.decode(value);
  } catch (error) {
    throw invalidArgument(`not UTF-8: value of environment variable ${name}`, error);
  }
  if (text.includes('\0')) throw invalidArgument(`NUL character in the value of environment variable ${name}`);
  return text;
}

/** Where the process starts. Symbolic links are the executor's matter: it checks the directory it arrived in (CVE-2024-21626). */
export function processCwd(requested: string, image: ImageConfig): string {
  if (requested !== '' && !requested.startsWith('/'))
    throw invalidArgument(`not an absolute path: working_dir ${JSON.stringify(requested)}`);
  const cwd = requested || image.workingDir || '/';
  if (cwd.includes('\0')) throw invalidArgument(`NUL character in the working directory ${JSON.stringify(cwd)}`);
  return cwd.startsWith('/') ? cwd : `/${cwd}`;
}
