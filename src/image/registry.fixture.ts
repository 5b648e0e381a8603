import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A registry that does what a test tells it to: `intercept` sees each request first and answers true when it has dealt with it. */
export class FakeRegistry {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, { type: string; bytes: Buffer }>();
  readonly requests: Array<{ method: string; url: string; headers: IncomingMessage['headers'] }> = [];
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get origin(): string {
    return `http://${this.host}`;
  }

  /** hosts.toml that allows plain HTTP to this registry, as an administrator would write it. */
  allow(directory: string, domain = this.host): void {
    mkdirSync(join(directory, domain), { recursive: true });
    writeFileSync(join(directory, domain, 'hosts.toml'), `server = "${this.origin}"\n`);
  }

  put(name: string, type: string, body: unknown): { digest: string; size: number; mediaType: string } {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    for (const key of [name, sha256(bytes)]) this.manifests.set(key, { type, bytes });
    return { digest: sha256(bytes), size: bytes.length, mediaType: type };
  }

  blob(bytes: Buffer, mediaType: string): { digest: string; size: number; mediaType: string } {
    this.blobs.set(sha256(bytes), bytes);
    return { digest: sha256(bytes), size: bytes.length, mediaType };
  }

  /** Requests that `what` is part of, as `GET /v2/…`. */
  asked(what = ''): string[] {
    return this.requests.map(({ method, url }) => `${method} ${url}`).filter((line) => line.includes(what));
  }

  /** An image of the given archives under a tag. */
  image(
    tag: string,
    tars: Buffer[],
    change: { config?: object; diffIds?: unknown; platform?: object; manifest?: object; header?: string } = {},
  ) {
    const diffIds = change.diffIds ?? tars.map(sha256);
    const config = Buffer.from(
      JSON.stringify({
        os: 'linux',
        ...change.platform,
        config: { ...change.config },
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    );
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: this.blob(config, 'application/vnd.oci.image.config.v1+json'),
      layers: tars.map((tar) => this.blob(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip')),
      ...change.manifest,
    };
    return { id: sha256(config), manifest, ...this.put(tag, change.header ?? OCI_MANIFEST, manifest) };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '';
    this.requests.push({ method: request.method ?? '', url, headers: request.headers });
    if (this.intercept(request, response)) return;
    const [, kind, name] = /\/(manifests|blobs)\/([^/?]+)/.exec(url) ?? [];
    const found =
      kind === 'manifests'
        ? this.manifests.get(name ?? '')
        : { type: 'application/octet-stream', bytes: this.blobs.get(name ?? '') };
    if (!found?.bytes) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"NOT_FOUND"}]}');
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const part = found.bytes.subarray(start);
    const range =
      start > 0 ? { 'content-range': `bytes ${start}-${found.bytes.length - 1}/${found.bytes.length}` } : {};
    const digest = kind === 'manifests' ? { 'docker-content-digest': sha256(found.bytes) } : {};
    response
      .writeHead(start > 0 ? 206 : 200, {
        'content-type': found.type,
        'content-length': part.length,
        ...range,
        ...digest,
      })
      .end(part);
  }
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A ustar archive of regular files. */
export const tarOf = (files: Record<string, string | Buffer>): Buffer => {
  const parts = Object.entries(files).flatMap(([name, content]) => {
    const body = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0' + '0000000\0' + '0000000\0', 100);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0        0`, 124);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
};
