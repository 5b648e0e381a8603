import { status } from '@grpc/grpc-js';
import t from 'tap';
import { hostsText, resolvConfText } from './pod-files.js';

t.test('resolv.conf has the lines that critest looks for', async (t) => {
  t.equal(
    resolvConfText({ servers: ['10.10.10.10'], searches: ['google.com', 'svc'], options: ['ndots:8'] }),
    'nameserver 10.10.10.10\nsearch google.com svc\noptions ndots:8\n',
  );
  t.equal(resolvConfText({ servers: [], searches: [], options: [] }), '');
});

t.test('a value cannot add a line or a word (real bytes, as in CVE-2026-15809)', async (t) => {
  for (const bad of ['1.1.1.1\nnameserver 6.6.6.6', 'a b', 'a\tb', '', 'x\r', '\u0000', 'x'.repeat(254)]) {
    t.throws(
      () => resolvConfText({ servers: [bad], searches: [], options: [] }),
      { code: status.INVALID_ARGUMENT },
      JSON.stringify(bad),
    );
    t.throws(() => resolvConfText({ servers: [], searches: [bad], options: [] }), { code: status.INVALID_ARGUMENT });
    t.throws(() => resolvConfText({ servers: [], searches: [], options: [bad] }), { code: status.INVALID_ARGUMENT });
  }
});

t.test('hosts names the pod at each of its addresses', async (t) => {
  const text = hostsText('web', ['10.0.0.2', 'fd00::2']);
  t.match(text, /^127\.0\.0\.1\tlocalhost$/m);
  t.match(text, /^10\.0\.0\.2\tweb$/m);
  t.match(text, /^fd00::2\tweb$/m);
});
