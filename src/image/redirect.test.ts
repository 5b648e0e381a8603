import { status } from '@grpc/grpc-js';
import t from 'tap';
import { printUrl, redirected } from './redirect.js';

const FROM = new URL('https://registry.example/v2/app/blobs/sha256:0?x=1');

t.test('a signed address is sent byte for byte', (t) => {
  const cases: Array<[location: string, origin: string, path: string]> = [
    [
      "https://s3.example/b/%7e'~|{}^`?sig=a%2Fb+c'd|e&x=%zz",
      'https://s3.example',
      "/b/%7e'~|{}^`?sig=a%2Fb+c'd|e&x=%zz",
    ],
    ['https://s3.example/a/../b/./%2e%2e//c', 'https://s3.example', '/a/../b/./%2e%2e//c'],
    ['https://user:pw@s3.example:443/b#fragment', 'https://s3.example', '/b'],
    ['https://s3.example', 'https://s3.example', '/'],
    ['https://s3.example?sig=1', 'https://s3.example', '/?sig=1'],
    ['//s3.example/b?c', 'https://s3.example', '/b?c'],
    ['/other/%41?b=%41', 'https://registry.example', '/other/%41?b=%41'],
    ['https://s3.example/\xc3\xa4', 'https://s3.example', '/%C3%A4'],
    ['sibling?a', 'https://registry.example', '/v2/app/blobs/sibling?a'],
    ['https://s3.example/a b', 'https://s3.example', '/a%20b'],
    ['https://s3.example\\@evil.example/x', 'https://s3.example', '/@evil.example/x'],
  ];
  for (const [location, origin, path] of cases) {
    const target = redirected(FROM, location);
    t.strictSame([target.url.origin, target.path], [origin, path], location);
  }
  t.end();
});

t.test('what weakens the connection, or is none, is refused', (t) => {
  for (const location of ['http://s3.example/', 'ftp://s3.example/', 'https://', 'file:///etc/shadow'])
    t.throws(() => redirected(FROM, location), { code: status.DATA_LOSS }, location);
  t.equal(printUrl(redirected(FROM, 'https://u:secret@x/p?sig=secret#secret').url), 'https://x/p');
  t.end();
});
