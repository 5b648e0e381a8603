import type { Runtime } from '../lifecycle/runtime.js';
import type { ControlCalls } from './control-call.js';
import { importImages } from './image-import.js';
import { pruneImagesCall } from './image-prune.js';
import { tagImageCall, untagImageCall } from './image-tag.js';

/** What the CRI has no words for: one line a call. */
export const controlService = (runtime: Runtime): ControlCalls => ({
  'POST /v1/images/import': (request) => importImages(runtime, request),
  'POST /v1/images/tag': (request) => tagImageCall(runtime, request),
  'POST /v1/images/untag': (request) => untagImageCall(runtime, request),
  'POST /v1/images/prune': (request) => pruneImagesCall(runtime, request),
});
