import t from 'tap';
import { proxiesOf } from './proxy.js';

const through = (environment: Record<string, string>, url: string): string | undefined =>
  proxiesOf(environment).of(new URL(url))?.url.href;

t.test('each protocol has its own variable, in capitals first', (t) => {
  const http = { HTTP_PROXY: 'http://a:1' };
  t.equal(through(http, 'http://x'), 'http://a:1/');
  t.equal(through(http, 'https://x'), undefined, 'HTTP_PROXY is for http only');
  t.equal(through({ HTTPS_PROXY: 'http://a:1' }, 'http://x'), undefined);
  t.equal(through({ https_proxy: 'http://low:1', HTTPS_PROXY: 'http://up:1' }, 'https://x'), 'http://up:1/');
  t.equal(through({ https_proxy: 'http://low:1', HTTPS_PROXY: '' }, 'https://x'), 'http://low:1/');
  t.equal(through({ ALL_PROXY: 'http://a:1' }, 'https://x'), undefined, 'Go does not know it');
  t.end();
});

t.test('addresses as people write them', (t) => {
  for (const [value, href] of [
    ['proxy:3128', 'http://proxy:3128/'],
    ['10.0.0.1', 'http://10.0.0.1/'],
    ['[fd00::1]:3128', 'http://[fd00::1]:3128/'],
    ['https://proxy', 'https://proxy/'],
    ['socks5://proxy:1080', 'socks5://proxy:1080/'],
    ['http://user:pw@proxy:3128/path', 'http://proxy:3128/'],
  ] as const)
    t.equal(through({ HTTPS_PROXY: value }, 'https://x')?.replace(/\/?$/, '/'), href, value);
  const proxy = (value: string) => proxiesOf({ HTTPS_PROXY: value }).of(new URL('https://x'));
  t.equal(proxy('http://u%40:p%3a@h')?.authorization, `Basic ${Buffer.from('u@:p:').toString('base64')}`);
  t.equal(proxy('http://u@h')?.authorization, `Basic ${Buffer.from('u:').toString('base64')}`);
  t.equal(proxy('http://h')?.authorization, undefined);
  t.end();
});

t.test('what is no address is named, without what it says, and counts for nothing', (t) => {
  for (const value of ['http://proxy:port', 'http://[::1', 'ftp://secret', 'a b', 'http://secret%zz@h', '://']) {
    const { of, complaints } = proxiesOf({ HTTP_PROXY: value, HTTPS_PROXY: 'good:1' });
    t.equal(of(new URL('http://x')), undefined, value);
    t.ok(of(new URL('https://x')));
    t.equal(complaints.length, 1);
    t.match(complaints[0], /HTTP_PROXY/);
    t.notMatch(complaints[0], /secret/);
  }
  t.strictSame(proxiesOf({}).complaints, []);
  t.end();
});

t.test('this machine is never asked through a proxy', (t) => {
  for (const host of ['localhost', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000', '[::ffff:127.0.0.1]'])
    t.equal(through({ HTTP_PROXY: 'p:1' }, `http://${host}`), undefined, host);
  t.ok(through({ HTTP_PROXY: 'p:1' }, 'http://localhost.example'));
  t.end();
});

t.test('NO_PROXY', (t) => {
  const cases: Array<[list: string, direct: string[], proxied: string[]]> = [
    ['*', ['a.example', '10.0.0.1'], []],
    ['x, *', ['a.example'], []],
    ['10.0.0.0/8', ['10.1.2.3', '[::ffff:10.1.2.3]'], ['11.0.0.1', '10.example']],
    ['fd00::/8', ['[fd12::1]'], ['[fe80::1]']],
    ['192.168.1.1', ['192.168.1.1:5000'], ['192.168.1.11', 'a.192.168.1.1.example']],
    ['192.168.1.1:5000', ['192.168.1.1:5000'], ['192.168.1.1', '192.168.1.1:80']],
    ['[fd00::1]:5000,fd00::2', ['[fd00::1]:5000', '[fd00::2]:80'], ['[fd00::1]']],
    ['example.org', ['example.org', 'a.example.org', 'EXAMPLE.org:5000'], ['badexample.org', 'example.org.evil']],
    ['.example.org', ['a.example.org'], ['example.org']],
    ['*.example.org', ['a.example.org'], ['example.org']],
    ['example.org:80', ['example.org', 'a.example.org:80'], ['example.org:81']],
    [' Example.ORG ,, :80, /8, 1.2.3.4/99', ['example.org'], ['1.2.3.4', 'x']],
    ['bücher.example', ['xn--bcher-kva.example', 'a.bücher.example'], ['bucher.example']],
    ['0.0.1', [], ['10.0.0.1']],
    ['', [], ['a.example']],
  ];
  for (const [list, direct, proxied] of cases) {
    const environment = { HTTP_PROXY: 'p:1', NO_PROXY: list };
    for (const host of direct) t.equal(through(environment, `http://${host}`), undefined, `${host} in ${list}`);
    for (const host of proxied) t.ok(through(environment, `http://${host}`), `${host} not in ${list}`);
  }
  t.ok(through({ HTTPS_PROXY: 'p:1', NO_PROXY: 'example.org:80' }, 'https://example.org'), 'its port is 443');
  t.equal(through({ HTTPS_PROXY: 'p:1', no_proxy: 'example.org:443' }, 'https://example.org'), undefined);
  t.end();
});
