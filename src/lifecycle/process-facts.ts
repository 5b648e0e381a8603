import { readFileSync, readlinkSync } from 'node:fs';
import { CAPABILITY_NAMES } from '../oci/capabilities.js';

/** What the kernel enforces on a process, as it says itself. */
export interface ProcessFacts {
  readonly user: string;
  readonly capabilities: Readonly<Record<'effective' | 'permitted' | 'inheritable' | 'bounding' | 'ambient', string[]>>;
  readonly noNewPrivileges: boolean;
  /** `off`, `strict`, or how many filters. */
  readonly seccomp: string;
  /** Label or profile of the security module; empty without one. */
  readonly securityModule: string;
  /** Kind → identity, as /proc names them. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
}

export interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  /** The part of the source that is mounted, for binds. */
  readonly root: string;
  readonly options: string;
}

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];

/** Undefined when there is no such process (any more). */
export const processFacts = (pid: number, proc = '/proc'): ProcessFacts | undefined => {
  const directory = `${proc}/${pid}`;
  const status = read(`${directory}/status`);
  if (pid === 0 || status === undefined) return undefined;
  return {
    ...parseStatus(status),
    securityModule: (read(`${directory}/attr/current`) ?? '').replace(/[\0\n]+$/, ''),
    namespaces: namespacesOf(directory),
    mounts: parseMountinfo(read(`${directory}/mountinfo`) ?? ''),
  };
};

export const namespacesOf = (directory: string): Record<string, string> =>
  Object.fromEntries(NAMESPACES.map((kind) => [kind, link(`${directory}/ns/${kind}`)]));

/** proc_pid_status(5). */
export const parseStatus = (text: string) => {
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  const filters = Number(field('Seccomp_filters') || '1');
  return {
    user: `${field('Uid').split('\t')[1] ?? ''}:${field('Gid').split('\t')[1] ?? ''}`,
    capabilities: {
      effective: capabilities(field('CapEff')),
      permitted: capabilities(field('CapPrm')),
      inheritable: capabilities(field('CapInh')),
      bounding: capabilities(field('CapBnd')),
      ambient: capabilities(field('CapAmb')),
    },
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: ['off', 'strict', `${filters} filter${filters === 1 ? '' : 's'}`][Number(field('Seccomp'))] ?? 'off',
  };
};

const capabilities = (hex: string): string[] => {
  const mask = BigInt(`0x${hex || '0'}`);
  return CAPABILITY_NAMES.filter((_, number) => ((mask >> BigInt(number)) & 1n) === 1n);
};

/** proc_pid_mountinfo(5): blanks and the like in paths are octal. */
export const parseMountinfo = (text: string): Mount[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , root = '', destination = '', options = ''] = before.split(' ').map(unescaped);
      const [type = '', source = ''] = after.split(' ').map(unescaped);
      return { destination, type, source, root, options };
    });

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // it has ended meanwhile
  }
};

const link = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // it has ended meanwhile, or the kernel has no such kind
  }
};
