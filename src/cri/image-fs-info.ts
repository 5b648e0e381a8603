import type { ImageFsInfoRequest__Output } from '../gen/runtime/v1/ImageFsInfoRequest.js';
import type { ImageFsInfoResponse } from '../gen/runtime/v1/ImageFsInfoResponse.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';

/** Layers and writable layers share one filesystem, so both lists name it: the kubelet takes different ones for a split disk. */
export const imageFsInfo = async (
  runtime: Pick<ImageRuntime, 'layers'>,
  _request: ImageFsInfoRequest__Output,
): Promise<ImageFsInfoResponse> => {
  const { bytes, inodes } = runtime.layers.usage();
  const usage = {
    timestamp: String(BigInt(Date.now()) * 1_000_000n),
    fsId: { mountpoint: runtime.layers.directory },
    usedBytes: { value: String(bytes) },
    inodesUsed: { value: String(inodes) },
  };
  return { imageFilesystems: [usage], containerFilesystems: [usage] };
};
