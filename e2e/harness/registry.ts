import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Agent, type Dispatcher, request } from 'undici';
import type { Image } from './image.js';
import { until } from './wait.js';

const run = promisify(execFile);

/** The one account of a registry that asks for it; the hash is bcrypt, the only one that docker-registry takes. */
export const ACCOUNT = { username: 'sailor', password: 'wind-and-water' } as const;
const HTPASSWD = 'sailor:$2y$05$jangada.jangada.jangaOGY07mT2h1Uhbyx6wW1n3T6m0n8as7Ry\n';

/** A rootless daemon does not reach the loopback of the host; see ordinary-user.sh. */
const ADDRESS = process.env['JANGADA_OUTSIDE'] ?? '127.0.0.1';

export interface RegistryOptions {
  tls?: boolean;
  auth?: boolean;
  /** Existing directory for everything it writes, instead of one that goes with the registry. */
  home?: string;
  /** Tried first, before any free port. */
  port?: number;
  /** Goes on when this process ends. */
  detached?: boolean;
}

/** Debian's docker-registry on a free loopback port. */
export interface Registry {
  /** What goes before the repository in a reference: `127.0.0.1:5000`. */
  host: string;
  url: string;
  /** Certificate authority to trust, when it speaks TLS. */
  caFile: string | undefined;
  pid: number;
  /** Uploads the image with everything it points to; answers its reference by tag. */
  push: (image: Image, repository: string, tag?: string) => Promise<string>;
  stop: () => Promise<void>;
}

export const startRegistry = async (options: RegistryOptions = {}): Promise<Registry> => {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'jangada-registry-')));
  const tls = options.tls ? await makeCertificate(home) : undefined;
  // Between finding a free port and listening on it somebody else may take it.
  for (let attempt = 1; ; attempt++) {
    const port = (attempt === 1 && options.port) || (await freePort());
    const host = `${ADDRESS}:${port}`;
    const url = `${tls ? 'https' : 'http'}://${host}`;
    await writeFile(join(home, 'config.yml'), configuration(home, host, options, tls));
    if (options.auth) await writeFile(join(home, 'htpasswd'), HTPASSWD);
    const child = spawn('docker-registry', ['serve', join(home, 'config.yml')], {
      stdio: 'ignore',
      detached: options.detached ?? false,
      env: { PATH: process.env['PATH'] },
    });
    const dispatcher = new Agent({ connect: { ca: tls ? await readFile(tls.ca) : undefined } });
    const account = options.auth ? ACCOUNT : undefined;
    try {
      await ready(url, child, dispatcher);
    } catch (error) {
      await dispatcher.close();
      if (attempt < 5 && child.exitCode !== null) continue;
      throw error;
    }
    const push = (image: Image, repository: string, tag = 'latest') =>
      pushImage(new Upload(`${url}/v2/${repository}`, dispatcher, account), image, tag).then(
        () => `${host}/${repository}:${tag}`,
      );
    const stop = async () => {
      await dispatcher.close();
      await end(child);
      await rm(home, { recursive: true });
    };
    if (options.detached) child.unref();
    return { host, url, caFile: tls?.ca, pid: child.pid ?? 0, push, stop };
  }
};

const configuration = (home: string, host: string, options: RegistryOptions, tls: Certificate | undefined): string =>
  JSON.stringify({
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(home, 'storage') },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: host,
      secret: 'not a secret here',
      ...(tls ? { tls: { certificate: tls.certificate, key: tls.key } } : {}),
    },
    ...(options.auth ? { auth: { htpasswd: { realm: 'jangada', path: join(home, 'htpasswd') } } } : {}),
  });

interface Certificate {
  ca: string;
  certificate: string;
  key: string;
}

const makeCertificate = async (home: string): Promise<Certificate> => {
  const at = (name: string) => join(home, name);
  const subject = (name: string) => [
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
  ];
  await run('openssl', ['req', '-x509', ...subject('jangada test CA'), '-keyout', at('ca.key'), '-out', at('ca.crt')]);
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'];
  const issuer = ['-CA', at('ca.crt'), '-CAkey', at('ca.key')];
  await run('openssl', [
    'req',
    '-x509',
    ...subject('127.0.0.1'),
    ...names,
    ...issuer,
    '-keyout',
    at('server.key'),
    '-out',
    at('server.crt'),
  ]);
  return { ca: at('ca.crt'), certificate: at('server.crt'), key: at('server.key') };
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });

const ready = (url: string, child: ChildProcess, dispatcher: Dispatcher): Promise<true> =>
  until(`docker-registry on ${url}`, async () => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with code ${child.exitCode}`);
    const answer = await request(`${url}/v2/`, { dispatcher }).catch(() => undefined);
    await answer?.body.dump();
    return answer !== undefined;
  });

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
};

/** Uploads to a registry that somebody else started; answers its reference by tag as `host` knows it. */
export const pushTo = async (url: string, host: string, image: Image, repository: string, tag: string) => {
  const dispatcher = new Agent();
  try {
    await pushImage(new Upload(`${url}/v2/${repository}`, dispatcher, undefined), image, tag);
    return `${host}/${repository}:${tag}`;
  } finally {
    await dispatcher.close();
  }
};

const pushImage = async (upload: Upload, image: Image, reference: string): Promise<void> => {
  for (const child of image.children) await pushImage(upload, child, child.digest);
  for (const blob of image.blobs) await upload.blob(blob.digest, blob.data);
  await upload.manifest(reference, image.mediaType, image.manifest);
};

/** The upload half of the distribution API, as far as a test needs it. */
class Upload {
  readonly #headers: Record<string, string>;

  constructor(
    readonly repository: string,
    readonly dispatcher: Dispatcher,
    account: typeof ACCOUNT | undefined,
  ) {
    const basic = account && Buffer.from(`${account.username}:${account.password}`).toString('base64');
    this.#headers = basic ? { authorization: `Basic ${basic}` } : {};
  }

  async blob(digest: string, data: Buffer): Promise<void> {
    const { statusCode } = await this.#send('HEAD', `${this.repository}/blobs/${digest}`);
    if (statusCode === 200) return;
    const { location } = await this.#send('POST', `${this.repository}/blobs/uploads/`, 202);
    const target = new URL(location, this.repository);
    target.searchParams.set('digest', digest);
    await this.#send('PUT', target.href, 201, data, 'application/octet-stream');
  }

  async manifest(reference: string, mediaType: string, data: Buffer): Promise<void> {
    await this.#send('PUT', `${this.repository}/manifests/${reference}`, 201, data, mediaType);
  }

  async #send(
    method: Dispatcher.HttpMethod,
    url: string,
    expected?: number,
    data?: Buffer,
    type?: string,
  ): Promise<{ statusCode: number; location: string }> {
    const headers = { ...this.#headers, ...(type ? { 'content-type': type } : {}) };
    const {
      statusCode,
      body,
      headers: answer,
    } = await request(url, { method, dispatcher: this.dispatcher, headers, body: data ?? null });
    const text = await body.text();
    if (expected !== undefined && statusCode !== expected)
      throw new Error(`${method} ${url}: ${statusCode} instead of ${expected}: ${text}`);
    return { statusCode, location: String(answer['location'] ?? '') };
  }
}
