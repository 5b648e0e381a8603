import { randomInt } from 'node:crypto';
import { invalidArgument } from '../base/errors.js';
import type { SELinuxOption__Output } from '../gen/runtime/v1/SELinuxOption.js';
import type { SelinuxContexts } from './spec-input.js';

const PART = /^[A-Za-z0-9_.]{1,64}$/;
const LEVEL = /^s\d{1,4}(-s\d{1,4})?(:c\d{1,4}([.,]c\d{1,4}){0,31})?$/;
/** What the policy lets do everything; "super privileged container" is its name there. */
const PRIVILEGED_TYPE = 'spc_t';
const CATEGORIES = 1024;

/** Labels of a container's process and of the files that it owns. */
export interface SelinuxLabels {
  readonly process: string;
  readonly mount: string;
}

interface SecurityContext {
  readonly selinuxOptions: SELinuxOption__Output | null;
  readonly privileged: boolean;
}

interface Label {
  user: string;
  role: string;
  type: string;
  level: string;
}

/**
 * What the policy of this host has for containers, as the request changes it: a user and a level hold for the files, too. The level is the
 * pod's unless the container names one. A privileged container that asks for nothing is not confined. Without a policy the options mean
 * nothing, as for every runtime: manifests carry them to all nodes alike.
 */
export function selinuxLabels(
  context: SecurityContext | null | undefined,
  podLevel: string,
  contexts: SelinuxContexts | undefined,
): SelinuxLabels | undefined {
  if (!contexts) return undefined;
  const options = checked(context?.selinuxOptions);
  const process = parse(contexts.process);
  const file = parse(contexts.file);
  const level = options.level || podLevel || process.level;
  if (context?.privileged && !context.selinuxOptions)
    return { process: format({ ...process, type: PRIVILEGED_TYPE }), mount: format({ ...file, level }) };
  const user = options.user || process.user;
  return {
    process: format({ user, role: options.role || process.role, type: options.type || process.type, level }),
    mount: format({ ...file, user: options.user || file.user, level }),
  };
}

/**
 * The level of a new pod: the one that it names, else two categories that no other pod has, so that pods are kept apart although all of
 * them have one type.
 */
export function podLevel(
  options: SELinuxOption__Output | null | undefined,
  taken: ReadonlySet<string>,
  contexts: SelinuxContexts | undefined,
  random: (below: number) => number = randomInt,
): string {
  if (!contexts) return '';
  const { level } = checked(options);
  if (level !== '') return level;
  for (;;) {
    const [a, b] = [random(CATEGORIES), random(CATEGORIES)];
    const fresh = `s0:c${Math.min(a, b)},c${Math.max(a, b)}`;
    if (a !== b && !taken.has(fresh)) return fresh;
  }
}

const checked = (options: SELinuxOption__Output | null | undefined): Label => {
  const part = (name: keyof Label): string => {
    const value = options?.[name] ?? '';
    if (value !== '' && !(name === 'level' ? LEVEL : PART).test(value))
      throw invalidArgument(`not an SELinux ${name}: ${JSON.stringify(value.slice(0, 256))} in selinux_options`);
    return value;
  };
  return { user: part('user'), role: part('role'), type: part('type'), level: part('level') };
};

const parse = (context: string): Label => {
  const [user = '', role = '', type = '', ...level] = context.split(':');
  return { user, role, type, level: level.join(':') };
};

const format = ({ user, role, type, level }: Label): string => `${user}:${role}:${type}:${level}`;

/** `process` and `file` of the policy's contexts/lxc_contexts; undefined where it knows no containers. */
export function parseContexts(text: string): SelinuxContexts | undefined {
  const value = (name: string) =>
    new RegExp(`^\\s*${name}\\s*=\\s*"([^":]+:[^":]+:[^":]+:[^"]+)"`, 'm').exec(text)?.[1];
  const [process, file] = [value('process'), value('file')];
  return process && file ? { process, file } : undefined;
}
