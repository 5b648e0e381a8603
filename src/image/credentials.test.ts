import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.js';
import { requestCredentials } from './credentials.js';
import { dockerConfigCredentials } from './docker-config.js';

const NONE: AuthConfig__Output = {
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};
const OWN = { name: 'reg.io:5000', mirror: false };
const MIRROR = { name: 'mirror.io', mirror: true };
const basic = Buffer.from('u:p:q\0').toString('base64');

t.test('credentials of a request', async (t) => {
  const of = (auth: Partial<AuthConfig__Output>) => requestCredentials({ ...NONE, ...auth });
  t.equal(await requestCredentials(null)(OWN), undefined);
  t.equal(await of({})(OWN), undefined);
  t.strictSame(await of({ username: 'u', password: 'p' })(OWN), { username: 'u', password: 'p' });
  t.strictSame(await of({ auth: basic })(OWN), { username: 'u', password: 'p:q' });
  t.strictSame(await of({ identityToken: 'i' })(OWN), { identityToken: 'i' });
  t.strictSame(await of({ registryToken: 'r' })(OWN), { registryToken: 'r' });
  t.throws(() => of({ auth: 'AAAA' }), { code: status.INVALID_ARGUMENT });
});

t.test('credentials go to the registry that they are meant for, and to no mirror', async (t) => {
  const of = (serverAddress: string) => requestCredentials({ ...NONE, username: 'u', serverAddress });
  t.equal(await of('')(MIRROR), undefined);
  t.ok(await of('https://reg.io:5000/v2/')(OWN));
  t.equal(await of('reg.io')(OWN), undefined);
  t.equal(await of('reg.io:5000.evil')(OWN), undefined);
  t.ok(await of('mirror.io')(MIRROR));
  t.ok(await of('https://index.docker.io/v1/')({ name: 'registry-1.docker.io', mirror: false }));
});

t.test("docker's config.json and its helpers", async (t) => {
  const file = join(t.testdir(), 'config.json');
  const asked: string[][] = [];
  const source = dockerConfigCredentials(file, async (name, server) => {
    asked.push([name, server]);
    if (name === 'broken') throw new Error('no');
    return JSON.stringify({ Username: '<token>', Secret: 's' });
  });
  t.equal(await source(OWN), undefined, 'no file, no credentials');
  const write = (config: object) => writeFileSync(file, JSON.stringify(config));
  write({
    auths: { 'https://reg.io:5000': { auth: basic }, 'https://index.docker.io/v1/': { username: 'h', password: 'x' } },
  });
  t.strictSame(await source(OWN), { username: 'u', password: 'p:q' });
  t.strictSame(await source({ name: 'registry-1.docker.io', mirror: false }), { username: 'h', password: 'x' });
  t.equal(await source({ name: 'reg.io', mirror: false }), undefined);
  write({ credHelpers: { 'reg.io:5000': 'gcr' }, credsStore: 'broken' });
  t.strictSame(await source(OWN), { identityToken: 's' });
  t.equal(await source(MIRROR), undefined);
  t.strictSame(asked, [
    ['gcr', 'reg.io:5000'],
    ['broken', 'mirror.io'],
  ]);
  write({ credsStore: '../../bin/sh' });
  await t.rejects(source(OWN), { code: status.FAILED_PRECONDITION });
});
