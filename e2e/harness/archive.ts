import type { Image } from './image.js';
import { buildTar, file } from './layer.js';

/** An OCI layout with these images under these names, as `docker save` and `ctr images export` write it. */
export const ociLayout = async (
  images: ReadonlyArray<{ image: Image; name: string }>,
  leaveOut: readonly string[] = [],
): Promise<Buffer> => {
  const blobs = new Map(images.flatMap(({ image }) => blobsOf(image)).filter(([digest]) => !leaveOut.includes(digest)));
  const manifests = images.map(({ image, name }) => ({
    mediaType: image.mediaType,
    digest: image.digest,
    size: image.manifest.length,
    annotations: { 'io.containerd.image.name': name },
  }));
  return buildTar([
    ...[...blobs].map(([digest, data]) => file(`blobs/${digest.replace(':', '/')}`, data)),
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', JSON.stringify({ schemaVersion: 2, manifests })),
  ]);
};

const blobsOf = (image: Image): Array<[string, Buffer]> => [
  [image.digest, image.manifest],
  ...image.blobs.map(({ digest, data }): [string, Buffer] => [digest, data]),
  ...image.children.flatMap(blobsOf),
];
