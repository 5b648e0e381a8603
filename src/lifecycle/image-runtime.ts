import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../base/config.js';
import { unlessUnwritable } from '../base/unwritable.js';
import { layersOf } from '../image/image-record.js';
import { ImageStore } from '../image/image-store.js';
import { proxiesOf } from '../image/proxy.js';
import { LayerStore } from '../layer/layer-store.js';
import type { RunWhole } from '../layer/run-whole.js';
import type { Unpacker } from '../layer/unpack.js';
import { Imports } from './image-import.js';
import { Pulls } from './image-pull.js';

/** What the image verbs need. */
export interface ImageRuntime {
  readonly config: Config;
  readonly log: Logger;
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly pulls: Pulls;
  readonly imports: Imports;
}

/**
 * Opens both stores. An image whose layers are not all there is forgotten: it is pulled again when it is needed, everything else stays.
 * Containers must still retain their layers; call `layers.sweep()` after that.
 */
export const openImages = async (
  config: Config,
  log: Logger,
  unpacker: Unpacker,
  runWhole?: RunWhole,
): Promise<ImageRuntime> => {
  const layers = await LayerStore.open({ root: config.root, unpacker, log, ...(runWhole && { runWhole }) });
  const images = await ImageStore.open(join(config.root, 'images'));
  for (const image of images.list()) {
    const diffIds = layersOf(image);
    if (diffIds.every((id) => layers.get(id))) layers.retain(diffIds);
    else {
      log.warn({ image: image.id, names: image.repoTags }, 'layers are missing; the image must be pulled again');
      await images.remove(image.id).catch(unlessUnwritable);
    }
  }
  const proxies = proxiesOf(process.env);
  for (const complaint of proxies.complaints) log.warn(complaint);
  const parts = { config, log, images, layers, unpacker };
  return { ...parts, pulls: new Pulls(parts, { proxies }), imports: await Imports.open(parts) };
};
