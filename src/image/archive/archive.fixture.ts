import { gzipSync } from 'node:zlib';
import { OCI_INDEX, OCI_MANIFEST, sha256, tarOf } from '../registry.fixture.js';

type Files = Record<string, string | Buffer>;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: object;
  annotations?: Record<string, string>;
}

/** The parts of an OCI layout, to be put together as a test likes. */
export class Layout {
  readonly files: Files = { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' };
  readonly #entries: Descriptor[] = [];

  blob(bytes: Buffer, mediaType: string): Descriptor {
    const digest = sha256(bytes);
    this.files[pathOf(digest)] = bytes;
    return { mediaType, digest, size: bytes.length };
  }

  manifest(tars: Buffer[], config: object = {}): Descriptor & { id: string; layers: string[] } {
    const configured = this.blob(configOf(tars, config), 'application/vnd.oci.image.config.v1+json');
    const layers = tars.map((tar) => this.blob(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip'));
    const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: configured, layers });
    const digests = layers.map(({ digest }) => digest);
    return { ...this.blob(Buffer.from(body), OCI_MANIFEST), id: configured.digest, layers: digests };
  }

  index(...manifests: Array<Pick<Descriptor, 'mediaType' | 'digest' | 'size' | 'platform'>>): Descriptor {
    return this.blob(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })), OCI_INDEX);
  }

  add({ mediaType, digest, size }: Descriptor, name?: string, platform?: object): this {
    const annotations: Record<string, string> = name === undefined ? {} : { 'io.containerd.image.name': name };
    this.#entries.push({ mediaType, digest, size, annotations, ...(platform && { platform }) });
    return this;
  }

  drop(digest: string): this {
    delete this.files[pathOf(digest)];
    return this;
  }

  tar(): Buffer {
    return tarOf({ ...this.files, 'index.json': JSON.stringify({ schemaVersion: 2, manifests: this.#entries }) });
  }
}

export const pathOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

const configOf = (tars: Buffer[], config: object): Buffer =>
  Buffer.from(
    JSON.stringify({ os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: tars.map(sha256) }, ...config }),
  );

/** As old `docker save` writes one image. */
export const dockerArchive = (
  tars: Buffer[],
  tags: string[],
  change: { files?: Files; config?: object } = {},
): Buffer => {
  const config = configOf(tars, change.config ?? {});
  const layers = tars.map((_, at) => `${at}/layer.tar`);
  const name = `${sha256(config).slice(7)}.json`;
  return tarOf({
    [name]: config,
    ...Object.fromEntries(layers.map((layer, at) => [layer, tars[at] ?? ''])),
    'manifest.json': JSON.stringify([{ Config: name, RepoTags: tags, Layers: layers }]),
    ...change.files,
  });
};
