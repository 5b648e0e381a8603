import { status } from '@grpc/grpc-js';
import t from 'tap';
import { canonical, parseReference } from './reference.js';

const HEX = 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff';

/** From the tests of distribution/reference: what is written, what it means, how people write it. */
const GOOD: Array<[string, string]> = [
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1', 'docker.io/library/busybox:1'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['index.docker.io/busybox:2', 'docker.io/library/busybox:2'],
  ['docker.io/library/foo/bar', 'docker.io/library/foo/bar:latest'],
  ['docker/docker', 'docker.io/docker/docker:latest'],
  ['library/debian', 'docker.io/library/debian:latest'],
  [
    'docker.io/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a',
    'docker.io/library/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a:latest',
  ],
  ['localhost/x', 'localhost/x:latest'],
  ['localhost:5000', 'docker.io/library/localhost:5000'],
  ['localhost:5000/x', 'localhost:5000/x:latest'],
  ['LOCALHOST/x', 'LOCALHOST/x:latest'],
  ['Foo/bar', 'Foo/bar:latest'],
  ['127.0.0.1:5000/docker/docker', '127.0.0.1:5000/docker/docker:latest'],
  ['[::1]:5000/x:1', '[::1]:5000/x:1'],
  ['[fc00::1]/x', '[fc00::1]/x:latest'],
  ['[fe80::1]:80/x/y', '[fe80::1]:80/x/y:latest'],
  ['test.com:8080/myapp:tag', 'test.com:8080/myapp:tag'],
  ['foo.bar/a__b/c-----d/e.f_g', 'foo.bar/a__b/c-----d/e.f_g:latest'],
  ['xn--n3h.com/myimage:xn--n3h.com', 'xn--n3h.com/myimage:xn--n3h.com'],
  ['a/a/a/a/a/a/a/a', 'docker.io/a/a/a/a/a/a/a/a:latest'],
  [`busybox@sha256:${HEX}`, `docker.io/library/busybox@sha256:${HEX}`],
  [`busybox@sha512:${HEX}${HEX}`, `docker.io/library/busybox@sha512:${HEX}${HEX}`],
  [`reg.io/x:1@sha256:${HEX}`, `reg.io/x@sha256:${HEX}`],
  [`x:${'a'.repeat(128)}`, `docker.io/library/x:${'a'.repeat(128)}`],
  [`a/${'a'.repeat(253)}`, `docker.io/a/${'a'.repeat(253)}:latest`],
];

const BAD: string[] = [
  '',
  ':justtag',
  '@sha256:ffffffff',
  `@sha256:${HEX}`,
  'repo@sha256:ffff',
  `repo@md5:${HEX}`,
  `repo@sha256:${HEX.toUpperCase()}`,
  `repo@sha256:${HEX}\n`,
  `x@sha256:${HEX}@sha256:${HEX}`,
  'Uppercase:tag',
  'foo/Bar',
  'docker.io/Foo',
  HEX,
  `sha256:${HEX}`,
  `x:${'a'.repeat(129)}`,
  `a/${'a'.repeat(300)}`,
  'a'.repeat(5000),
  'aa/asdf$$^/aa',
  'a//b',
  '/a',
  'a/',
  'a/.',
  'a/..',
  'host.io/../x',
  'host.io/a/./b',
  '../x',
  '-foo/bar',
  'foo-/bar',
  '_foo',
  'foo_',
  'foo.',
  'foo..bar',
  'a___b',
  'x:',
  'x:.a',
  'x: 1',
  ' x',
  'x ',
  'x\n',
  'x\0',
  'x\u0007',
  'x\u202e',
  'http://host.io/x',
  'user:pw@host.io/x',
  'host.io:70000/x',
  'host.io:/x',
  '[::1/x',
  '[::1]a/x',
  '[gg::1]/x',
  '[fe80::1%eth0]:80/x',
  '[::1]',
  'foo.-bar.io/x',
  'x?y=1',
  'x#y',
  'x\\y',
  'x:1:2',
  'é/x',
];

t.test('references in normal form', async (t) => {
  for (const [text, full] of GOOD) {
    const reference = parseReference(text);
    t.equal(canonical(reference), full, text);
    t.strictSame(parseReference(full), reference, `${text}: the normal form means the same`);
  }
});

t.test('what is no reference is refused, in a short message without control characters', async (t) => {
  for (const text of BAD) {
    try {
      parseReference(text);
      t.fail(JSON.stringify(text));
    } catch (error) {
      t.match(error, { code: status.INVALID_ARGUMENT }, JSON.stringify(text.slice(0, 60)));
      t.notMatch((error as Error).message, /[\0-\x1f]|.{400}/);
    }
  }
});

t.test('a long name costs no time', async (t) => {
  const began = performance.now();
  for (const unit of ['a-', 'a.', 'a_', '-', 'a/']) t.throws(() => parseReference(`${unit.repeat(400)}!`));
  t.ok(performance.now() - began < 200);
});
