import type { Runtime } from '../lifecycle/runtime.js';
import { imageFsInfo } from './image-fs-info.js';
import { listImages, streamImages } from './image-list.js';
import { pullImage } from './image-pull.js';
import { removeImage } from './image-remove.js';
import { imageStatus } from './image-status.js';
import type { Rpcs } from './rpc.js';

/** ImageService: one line and one file an RPC. What is missing here answers UNIMPLEMENTED. */
export const imageService = (runtime: Runtime): Rpcs => ({
  unary: {
    ListImages: (request) => listImages(runtime, request),
    ImageStatus: (request) => imageStatus(runtime, request),
    PullImage: (request) => pullImage(runtime, request, runtime.handlers),
    RemoveImage: (request) => removeImage(runtime, request),
    ImageFsInfo: (request) => imageFsInfo(runtime, request),
  },
  streams: {
    StreamImages: (request) => streamImages(runtime, request),
  },
});
