import { type Compression, type Layer, sha256 } from './layer.js';

/** The run-time part of an image configuration, as the OCI image specification spells it. */
export interface RunConfig {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  Volumes?: Record<string, object>;
  Labels?: Record<string, string>;
  StopSignal?: string;
}

export interface Blob {
  digest: string;
  data: Buffer;
}

/** A manifest or an index with everything it points to. */
export interface Image {
  mediaType: string;
  manifest: Buffer;
  digest: string;
  /** Digest of the configuration: the image ID. Empty for an index. */
  id: string;
  blobs: Blob[];
  children: Image[];
}

export interface ImageOptions {
  config?: RunConfig;
  architecture?: string;
  os?: string;
  media?: 'oci' | 'docker';
  /** What the configuration claims about its layers, to be wrong on purpose. */
  diffIds?: string[];
}

const MEDIA = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: {
      none: 'application/vnd.oci.image.layer.v1.tar',
      gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
      zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
    },
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: {
      none: 'application/vnd.docker.image.rootfs.diff.tar',
      gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
    },
  },
} as const satisfies Record<string, { layer: Record<Compression, string> } & Record<string, unknown>>;

/** Layers are listed from the bottom up. */
export const buildImage = (layers: Layer[], options: ImageOptions = {}): Image => {
  const media = MEDIA[options.media ?? 'oci'];
  const config = Buffer.from(
    JSON.stringify({
      created: '2024-01-01T00:00:00Z',
      architecture: options.architecture ?? hostArchitecture(),
      os: options.os ?? 'linux',
      config: options.config ?? {},
      rootfs: { type: 'layers', diff_ids: options.diffIds ?? layers.map((layer) => layer.diffId) },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: media.manifest,
      config: { mediaType: media.config, digest: sha256(config), size: config.length },
      layers: layers.map(({ data, digest, compression }) => ({
        mediaType: media.layer[compression],
        digest,
        size: data.length,
      })),
    }),
  );
  const id = sha256(config);
  const blobs = [{ digest: id, data: config }, ...layers.map(({ digest, data }) => ({ digest, data }))];
  return { mediaType: media.manifest, manifest, digest: sha256(manifest), id, blobs, children: [] };
};

export interface Platform {
  architecture: string;
  os?: string;
  variant?: string;
}

export const buildIndex = (
  images: Array<{ image: Image; platform: Platform }>,
  kind: 'oci' | 'docker' = 'oci',
): Image => {
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA[kind].index,
      manifests: images.map(({ image, platform }) => ({
        mediaType: image.mediaType,
        digest: image.digest,
        size: image.manifest.length,
        platform: { os: 'linux', ...platform },
      })),
    }),
  );
  const children = images.map(({ image }) => image);
  return { mediaType: MEDIA[kind].index, manifest, digest: sha256(manifest), id: '', blobs: [], children };
};

/** The architecture of this machine in the image specification's words. */
export const hostArchitecture = (): string => ({ x64: 'amd64', arm64: 'arm64' })[process.arch as 'x64'] ?? process.arch;
