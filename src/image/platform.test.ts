import t from 'tap';
import { candidates, fits, platformsOf } from './platform.js';
import type { Index, Platform } from './manifest.js';

const V2 = 'cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3';
const V3 = `${V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`;
const V4 = `${V3} avx512f avx512bw avx512cd avx512dq avx512vl`;
const cpu = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags}\nbugs\t\t: none\n`;

const platform = (text: string): Platform => {
  const [os = '', architecture = '', variant = ''] = text.split('/');
  return { os, architecture, variant };
};

const index = (...platforms: Array<string | undefined>): Index => ({
  kind: 'index',
  manifests: platforms.map((text, size) => ({
    mediaType: '',
    digest: '' as never,
    size,
    ...(text === undefined ? {} : { platform: platform(text) }),
  })),
  odd: undefined,
});

/** Which entries come into question. */
const chosen = (of: Index, wanted: readonly Platform[]) => candidates(of, wanted).map(({ size }) => size);

t.test('amd64: the best variant that the CPU has', (t) => {
  const all = index('linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3', 'linux/amd64/v4', 'linux/386');
  for (const [flags, entry] of [
    ['', 0],
    ['avx512f avx512bw avx512cd avx512dq avx512vl', 0],
    [V2, 1],
    [V3, 2],
    [V4, 3],
  ] as const)
    t.strictSame(chosen(all, platformsOf('amd64', cpu(flags))), [entry], flags);
  t.strictSame(chosen(index('linux/amd64/v3'), platformsOf('amd64', cpu(V2))), []);
  t.strictSame(chosen(index('linux/amd64/v1', 'linux/amd64'), platformsOf('amd64', '')), [0], 'the first of the same');
  t.end();
});

t.test('a 32-bit image gets one answer, alone or in an index', (t) => {
  for (const [host, made, runs] of [
    ['amd64', 'linux/386', true],
    ['amd64', 'linux/i386', true],
    ['amd64', 'linux/arm', false],
    ['arm64', 'linux/arm/v7', true],
    ['arm64', 'linux/arm', true],
    ['arm64', 'linux/arm64', true],
    ['arm64', 'linux/aarch64/v8', true],
    ['arm64', 'linux/arm64/v9', false],
    ['s390x', 'linux/s390x', true],
    ['s390x', 'linux/386', false],
    ['amd64', 'windows/amd64', false],
    ['amd64', 'Linux/X86_64', true],
  ] as const) {
    const wanted = platformsOf(host, cpu(V3));
    t.equal(fits(platform(made), wanted), runs, `${made} alone on ${host}`);
    t.strictSame(chosen(index('linux/ppc64le', made), wanted), runs ? [1] : [], `${made} in an index on ${host}`);
  }
  t.end();
});

t.test('entries that say nothing are asked only where no other is right', (t) => {
  const wanted = platformsOf('amd64', '');
  t.strictSame(chosen(index(undefined, 'linux/s390x', undefined), wanted), [0, 2]);
  t.strictSame(chosen(index(undefined, 'linux/amd64'), wanted), [1]);
  t.ok(fits(platform('linux/'), wanted), 'an old configuration without an architecture');
  t.ok(fits(platform('/'), wanted));
  t.notOk(fits(platform('windows/'), wanted));
  t.end();
});
