import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { proxiesOf } from '../image/proxy.js';
import { parseReference } from '../image/reference.js';
import { FAST, setUp, SMALL } from './image-pull.fixture.js';
import { Pulls } from './image-pull.js';

const run = promisify(execFile);

const NAME = 'registry.example';

/** A proxy that writes down what it is asked, and knows where `registry.example` is. */
const startProxy = async (t: Test, target: { port: number }) => {
  const asked: Array<{ line: string; authorization: string | undefined; host: string | undefined }> = [];
  const server = createServer((request, response) => {
    const { headers } = request;
    asked.push({
      line: `${request.method} ${request.url}`,
      authorization: headers['proxy-authorization'],
      host: headers.host,
    });
    const { pathname, search } = new URL(request.url ?? '');
    void fetch(`http://127.0.0.1:${target.port}${pathname}${search}`).then(async (answer) => {
      const body = Buffer.from(await answer.arrayBuffer());
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(body);
    });
  });
  let refuses = false;
  server.on('connect', ({ url, headers }, socket, head) => {
    asked.push({ line: `CONNECT ${url}`, authorization: headers['proxy-authorization'], host: headers.host });
    if (refuses) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const there = connect(target.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      there.write(head);
      there.pipe(socket).pipe(there);
    });
    for (const end of [socket, there]) end.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, address, refuse: () => (refuses = true) };
};

const setUpProxied = async (t: Test, environment: (proxy: string) => Record<string, string>, hosts: string[]) => {
  const set = await setUp(t);
  const target = { port: Number(set.registry.host.split(':')[1]) };
  const proxy = await startProxy(t, target);
  mkdirSync(join(set.certs, NAME));
  writeFileSync(join(set.certs, NAME, 'hosts.toml'), hosts.join('\n'));
  const pulls = new Pulls(set, { ...FAST, proxies: proxiesOf(environment(proxy.address)) });
  t.teardown(() => pulls.close());
  set.registry.image('1', [SMALL]);
  return { ...set, target, proxy, pullNamed: () => pulls.pull(parseReference(`${NAME}/app:1`), null) };
};

t.test('plain HTTP is asked for by the whole address, and the proxy gets its password', async (t) => {
  const set = await setUpProxied(t, (proxy) => ({ HTTP_PROXY: `user:pw@${proxy}` }), [
    `server = "http://${NAME}:5000"`,
  ]);
  t.ok(await set.pullNamed());
  const lines = set.proxy.asked.map(({ line }) => line);
  t.equal(lines[0], `GET http://${NAME}:5000/v2/app/manifests/1`);
  t.notOk(lines.some((line) => line.startsWith('CONNECT')));
  const authorization = `Basic ${Buffer.from('user:pw').toString('base64')}`;
  t.ok(set.proxy.asked.every((one) => one.authorization === authorization && one.host === `${NAME}:5000`));
  t.ok(set.registry.requests.every(({ headers }) => headers['proxy-authorization'] === undefined));
});

t.test('TLS goes through a tunnel to the registry, whose certificate counts', async (t) => {
  const set = await setUpProxied(t, (proxy) => ({ HTTPS_PROXY: `http://${proxy}` }), ['ca = "ca.pem"']);
  const directory = join(set.certs, NAME);
  const subject = ['-subj', '/CN=x', '-addext', `subjectAltName=DNS:${NAME}`, '-days', '2', '-nodes'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', 'key.pem', '-out', 'ca.pem'];
  await run('openssl', ['req', '-x509', ...subject, ...key], { cwd: directory });
  const [cert, privateKey] = ['ca.pem', 'key.pem'].map((name) => readFileSync(join(directory, name)));
  const plain = set.target.port;
  const server = createTlsServer({ cert, key: privateKey }, (request, response) => {
    void fetch(`http://127.0.0.1:${plain}${request.url}`).then(async (answer) =>
      response
        .writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
        .end(Buffer.from(await answer.arrayBuffer())),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  set.target.port = (server.address() as AddressInfo).port;
  t.ok(await set.pullNamed());
  t.ok(set.proxy.asked.length > 0);
  t.ok(set.proxy.asked.every(({ line }) => line === `CONNECT ${NAME}:443`));
});

t.test('a proxy that refuses is named as the cause', async (t) => {
  const set = await setUpProxied(t, (proxy) => ({ HTTPS_PROXY: proxy }), []);
  set.proxy.refuse();
  await t.rejects(set.pullNamed(), { code: status.UNAVAILABLE, message: /the proxy answered 407.*registry\.example/ });
});

t.test('HTTP_PROXY is not for https, and a registry on this machine is asked directly', async (t) => {
  const set = await setUpProxied(t, (proxy) => ({ HTTP_PROXY: proxy, NO_PROXY: NAME }), [
    `server = "https://127.0.0.1:1"`,
  ]);
  await t.rejects(set.pullNamed(), { code: status.UNAVAILABLE, message: /ECONNREFUSED.*127\.0\.0\.1:1/ });
  t.ok(await set.pull('app:1'));
  t.strictSame(set.proxy.asked, []);
});
