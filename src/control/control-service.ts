import type { Runtime } from '../lifecycle/runtime.js';
import type { ControlCalls } from './control-call.js';
import { explainContainerCall, explainPodCall } from './explain.js';
import { failuresCall } from './failures.js';
import { importImages } from './image-import.js';
import { pruneImagesCall } from './image-prune.js';
import { tagImageCall, untagImageCall } from './image-tag.js';

/** What the CRI has no words for: one line a call. */
export const controlService = (runtime: Runtime): ControlCalls => ({
  'POST /v1/pods/explain': (request) => explainPodCall(runtime, request),
  'POST /v1/containers/explain': (request) => explainContainerCall(runtime, request),
  'POST /v1/failures': () => failuresCall(runtime),
  'POST /v1/images/import': (request) => importImages(runtime, request),
  'POST /v1/images/tag': (request) => tagImageCall(runtime, request),
  'POST /v1/images/untag': (request) => untagImageCall(runtime, request),
  'POST /v1/images/prune': (request) => pruneImagesCall(runtime, request),
});
