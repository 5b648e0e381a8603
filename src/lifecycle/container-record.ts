import { linuxResources } from '../oci/resources.js';
import type { Container } from '../store/container.js';

/** Records of versions that had no limits of their own: theirs are those that the CRI has asked for, and nobody had adjusted. */
export const withLimits = (record: Container, pidsLimit: number): Container =>
  Object.hasOwn(record, 'limits') ? record : { ...record, limits: linuxResources(record.resources, pidsLimit) };
