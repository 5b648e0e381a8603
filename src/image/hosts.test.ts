import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { readHosts } from './hosts.js';

const withFiles = (directory: string, files: Record<string, string>): string => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
};

const bases = async (directory: string, domain: string) => (await readHosts(directory, domain)).map(({ base }) => base);

t.test('without configuration a registry is asked over TLS, also on loopback', async (t) => {
  const directory = t.testdir();
  t.strictSame(await bases(directory, 'docker.io'), ['https://registry-1.docker.io/v2']);
  t.strictSame(await bases(directory, 'quay.io:8443'), ['https://quay.io:8443/v2']);
  t.strictSame(await bases(directory, 'localhost:5000'), ['https://localhost:5000/v2'], 'CVE-2026-92543');
  t.strictSame(await bases(directory, '[::1]:5000'), ['https://[::1]:5000/v2']);
  t.strictSame(await bases(join(directory, 'absent'), 'quay.io'), ['https://quay.io/v2']);
});

t.test("containerd's hosts.toml", async (t) => {
  const directory = withFiles(t.testdir(), {
    'quay.io/ca.pem': 'CA',
    'quay.io/client.cert': 'CERT',
    'quay.io/client.key': 'KEY',
    'quay.io/hosts.toml': `
      server = "https://quay.io"
      [host."http://mirror:5000"]
        capabilities = ["pull"]
        dial_timeout = "1.5s"
      [host."https://cache.example/v2/proxy"]
        override_path = true
        skip_verify = true
        ca = "ca.pem"
        client = [["client.cert", "client.key"]]
        [host."https://cache.example/v2/proxy".header]
          X-Team = ["a", "b"]
      [host."plain.example/sub"]
    `,
  });
  const [first, second, third, server] = await readHosts(directory, 'quay.io');
  t.match(first, { base: 'http://mirror:5000/v2', mirror: true, resolves: false, name: 'mirror:5000', dialMs: 1500 });
  t.match(second, { base: 'https://cache.example/v2/proxy', resolves: true, headers: { 'x-team': 'a, b' } });
  t.strictSame(second?.tls, { ca: ['CA'], client: { cert: 'CERT', key: 'KEY' }, skipVerify: true });
  t.match(third, { base: 'https://plain.example/sub/v2' });
  t.match(server, { base: 'https://quay.io/v2', mirror: false, tls: { skipVerify: false } });
});

t.test('directories are tried from the most to the least exact', async (t) => {
  const file = (name: string) => `server = "http://${name}"\n`;
  const directory = withFiles(t.testdir(), {
    'a.io_5000_/hosts.toml': file('underscores'),
    'b.io:5000/hosts.toml': file('colon'),
    '_default/hosts.toml': file('default'),
  });
  t.strictSame(await bases(directory, 'a.io:5000'), ['http://underscores/v2']);
  t.strictSame(await bases(directory, 'b.io:5000'), ['http://colon/v2']);
  t.strictSame(await bases(directory, 'c.io'), ['http://default/v2']);
});

t.test('_default with mirrors only keeps the registry itself', async (t) => {
  const directory = withFiles(t.testdir(), { '_default/hosts.toml': '[host."http://127.0.0.1:5000"]\n' });
  t.strictSame(await bases(directory, 'k8s.gcr.io'), ['http://127.0.0.1:5000/v2', 'https://k8s.gcr.io/v2']);
});

t.test('what cannot be used is refused with the name of the file', async (t) => {
  const bad = [
    'server = 7',
    'server = "ftp://x"',
    'server = "https://u:p@x"',
    'host = 1',
    'dial_timeout = 10',
    'dial_timeout = "soon"',
    'dial_timeout = "0s"',
    '[host."http://x?y"]',
    '= broken',
    'ca = "none.pem"',
    '[host."http://x"]\ncapabilities = "pull"',
  ];
  for (const text of bad) {
    const directory = withFiles(t.testdir(), { 'quay.io/hosts.toml': text });
    await t.rejects(
      readHosts(directory, 'quay.io'),
      { code: status.FAILED_PRECONDITION, message: /hosts\.toml/ },
      text,
    );
  }
});

t.test('a place that is named twice is asked once, with what both say about it', async (t) => {
  const directory = withFiles(t.testdir(), {
    'ca.pem': 'CA',
    'own/hosts.toml': `
      server = "https://registry:5000"
      ca = "../ca.pem"
      [host."https://registry:5000/"]
        capabilities = ["pull"]
        [host."https://registry:5000/".header]
          X-Team = "a"
    `,
    'twice/hosts.toml': `
      server = "https://registry:5000"
      [host."https://mirror"]
      [host."https://mirror/v2"]
    `,
  });
  const [own, ...others] = await readHosts(directory, 'own');
  t.equal(others.length, 0);
  t.match(own, { base: 'https://registry:5000/v2', mirror: false, resolves: true, headers: { 'x-team': 'a' } });
  t.strictSame(own?.tls.ca, ['CA']);
  const mirrors = await readHosts(directory, 'twice');
  t.strictSame(
    mirrors.map(({ base, mirror }) => [base, mirror]),
    [
      ['https://mirror/v2', true],
      ['https://registry:5000/v2', false],
    ],
  );
});
