import { readFileSync } from 'node:fs';
import { arch } from 'node:process';
import { failedPrecondition, type RuntimeError } from '../base/errors.js';
import { quote } from './digest.js';
import type { Index, IndexEntry, Platform } from './manifest.js';

/** What this machine runs, the best first. */
export const hostPlatforms = (cpuinfo = readCpuinfo()): Platform[] =>
  platformsOf(arch === 'x64' ? 'amd64' : arch, cpuinfo);

/** 32-bit programs run beside those of the machine's own kind. */
export const platformsOf = (architecture: string, cpuinfo: string): Platform[] => {
  const variants = (of: string, names: readonly string[]) =>
    names.map((variant) => ({ os: 'linux', architecture: of, variant }));
  switch (architecture) {
    case 'amd64':
      return [
        ...variants(
          'amd64',
          LEVELS.slice(0, levelOf(cpuinfo))
            .map(({ name }) => name)
            .toReversed(),
        ),
        ...variants('386', ['']),
      ];
    case 'arm64':
      return [...variants('arm64', ['v8']), ...variants('arm', ['v8', 'v7', 'v6', 'v5'])];
    default:
      return variants(architecture, ['']);
  }
};

/** Levels of the x86-64 psABI, with the flags of /proc/cpuinfo that each adds. */
const LEVELS: ReadonlyArray<{ name: string; flags: readonly string[] }> = [
  { name: 'v1', flags: [] },
  { name: 'v2', flags: ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3'] },
  { name: 'v3', flags: ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'] },
  { name: 'v4', flags: ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'] },
];

const levelOf = (cpuinfo: string): number => {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(' '));
  const missing = LEVELS.findIndex((level) => !level.flags.every((flag) => flags.has(flag)));
  return missing < 0 ? LEVELS.length : missing;
};

const readCpuinfo = (): string => {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    return '';
  }
};

/** What people and old tools call them (containerd/platforms, database.go). */
const ALIASES: Readonly<Record<string, readonly [architecture: string, variant: string]>> = {
  x86_64: ['amd64', ''],
  'x86-64': ['amd64', ''],
  i386: ['386', ''],
  aarch64: ['arm64', ''],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};
/** The variant that is understood when none is written. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/** One platform has one name. */
const nameOf = ({ os, architecture, variant }: Platform): string => {
  const named = architecture.toLowerCase();
  const [real, implied] = ALIASES[named] ?? [named, ''];
  const written = variant.toLowerCase().replace(/^(?=\d)/, 'v') || implied || DEFAULT_VARIANT[real] || '';
  return `${os.toLowerCase()}/${real}/${written}`;
};

/** How good it is for this machine: 0 is best; undefined when it is for another one. */
const rank = (platform: Platform, wanted: readonly Platform[]): number | undefined => {
  const found = wanted.findIndex((one) => nameOf(one) === nameOf(platform));
  return found < 0 ? undefined : found;
};

/**
 * The entries of an index that may be for this machine: the best that says so, the first of several; or all that say nothing, whose
 * configurations have to be asked.
 */
export const candidates = ({ manifests }: Index, wanted: readonly Platform[]): readonly IndexEntry[] => {
  const ranked = manifests.flatMap((entry) => {
    const place = entry.platform && rank(entry.platform, wanted);
    return place === undefined ? [] : [{ entry, place }];
  });
  const [best] = ranked.toSorted((a, b) => a.place - b.place);
  return best ? [best.entry] : manifests.filter(({ platform }) => platform === undefined);
};

/** An image's configuration names the machine that it is for. Old tools left it out: such an image is taken as it is. */
export const fits = (made: Platform, wanted: readonly Platform[]): boolean => {
  const [own] = wanted;
  const os = made.os || 'linux';
  return made.architecture === '' ? os === own?.os : rank({ ...made, os }, wanted) !== undefined;
};

export const printPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, variant].filter(Boolean).join('/');

const MOST_SHOWN = 10;

export const notForThisMachine = (
  made: readonly Platform[],
  image: string,
  wanted: readonly Platform[],
): RuntimeError => {
  const list = [...new Set(made.map((platform) => quote(printPlatform(platform))))].slice(0, MOST_SHOWN).join(', ');
  const [own] = wanted;
  return failedPrecondition(
    `made for platform ${list || '"none"'}, not for ${own ? printPlatform({ ...own, variant: '' }) : 'this'}: image ${image}`,
  );
};
