import { type Attachment, attachmentOf } from '../network/attachment.js';
import type { Sandbox } from '../store/sandbox.js';

/** What the CNI plugins are told about a pod. */
export const attachment = ({ id, config, netnsPath, cgroupParent }: Sandbox): Attachment =>
  attachmentOf(id, netnsPath, config, cgroupParent);
