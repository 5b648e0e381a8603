import { arch } from 'node:process';
import { failedPrecondition } from '../base/errors.js';
import { quote } from './digest.js';
import type { Index, Platform } from './manifest.js';

/** This machine as an image index names it. */
export const hostPlatform = (): Platform => ({
  os: 'linux',
  architecture: arch === 'x64' ? 'amd64' : arch,
  variant: arch === 'arm64' ? 'v8' : '',
});

/** The variant that is understood when none is written. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { arm64: 'v8', amd64: 'v1' };

/**
 * The index entry for a platform: the first that names it. An entry without a platform counts only when it is alone, for then nothing
 * is to be chosen.
 */
export const selectPlatform = (index: Index, wanted: Platform): Index['manifests'][number] | undefined => {
  const found = index.manifests.find(({ platform }) => platform !== undefined && matches(platform, wanted));
  if (found || index.manifests.length !== 1) return found;
  const [only] = index.manifests;
  return only?.platform === undefined ? only : undefined;
};

const matches = (platform: Platform, wanted: Platform): boolean =>
  platform.os === wanted.os &&
  platform.architecture === wanted.architecture &&
  variantOf(platform) === variantOf(wanted);

const variantOf = ({ architecture, variant }: Platform): string => variant || DEFAULT_VARIANT[architecture] || '';

export const printPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, variant].filter(Boolean).join('/');

/** 32-bit programs that such a machine runs too. */
const ALSO: Readonly<Record<string, string>> = { amd64: '386', arm64: 'arm' };

/** An image without an index is for one machine, which its configuration names. Old tools left it out: such an image is taken as it is. */
export const requirePlatform = (
  made: Pick<Platform, 'os' | 'architecture'>,
  image: string,
  wanted: Platform = hostPlatform(),
): void => {
  const { architecture } = wanted;
  const fits = ['', architecture, ALSO[architecture]].includes(made.architecture);
  if (fits && ['', wanted.os].includes(made.os)) return;
  const platform = printPlatform({ os: made.os || wanted.os, architecture: made.architecture, variant: '' });
  throw failedPrecondition(`made for platform ${quote(platform)}, not for ${printPlatform(wanted)}: image ${image}`);
};
