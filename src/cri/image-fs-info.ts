import type { ImageFsInfoRequest__Output } from '../gen/runtime/v1/ImageFsInfoRequest.js';
import type { ImageFsInfoResponse } from '../gen/runtime/v1/ImageFsInfoResponse.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';

/**
 * "The bytes used for images" (api.proto, FilesystemUsage), so writable layers are not in it: ContainerStats has them, container by
 * container, and the kubelet would count them twice. What is free it asks the filesystem itself, at this mount point. Layers and
 * writable layers share one filesystem: both lists are the same, because the kubelet takes a difference for a split disk.
 */
export const imageFsInfo = async (
  { config, layers }: { config: Pick<ImageRuntime['config'], 'root'>; layers: Pick<ImageRuntime['layers'], 'usage'> },
  _request: ImageFsInfoRequest__Output,
): Promise<ImageFsInfoResponse> => {
  const { bytes, inodes } = layers.usage();
  const usage = {
    timestamp: String(BigInt(Date.now()) * 1_000_000n),
    fsId: { mountpoint: config.root },
    usedBytes: { value: String(bytes) },
    inodesUsed: { value: String(inodes) },
  };
  return { imageFilesystems: [usage], containerFilesystems: [usage] };
};
