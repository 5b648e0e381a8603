import type { ListMetricDescriptorsRequest__Output } from '../gen/runtime/v1/ListMetricDescriptorsRequest.js';
import type { ListMetricDescriptorsResponse } from '../gen/runtime/v1/ListMetricDescriptorsResponse.js';
import { DESCRIPTORS } from '../stats/metric-descriptors.js';

/** The kubelet asks once: all that there may be, whatever this kernel counts. */
export const listMetricDescriptors = async (
  _request: ListMetricDescriptorsRequest__Output,
): Promise<ListMetricDescriptorsResponse> => ({ descriptors: [...DESCRIPTORS] });
