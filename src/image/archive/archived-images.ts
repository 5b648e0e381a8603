import { dataLoss } from '../digest.js';
import type { Archive } from './archive.js';
import type { ArchivedImage } from './archived-image.js';
import { readDockerArchive } from './docker-archive.js';
import { readOciLayout } from './oci-layout.js';

/** All images that an archive tells of. Of one that is both kinds, as Docker writes it today, the OCI layout counts, as with containerd. */
export const archivedImages = async (archive: Archive): Promise<ArchivedImage[]> => {
  const [marker, index] = [archive.find('oci-layout'), archive.find('index.json')];
  if (marker && index) return await readOciLayout(archive, index, marker);
  const manifest = archive.find('manifest.json');
  if (manifest) return await readDockerArchive(archive, manifest);
  throw dataLoss(`neither index.json nor manifest.json: ${archive.what}; OCI layouts and docker-archives are read`);
};
