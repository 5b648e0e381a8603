import { built } from '../built.js';

export const nativePrograms = {
  supervisor: built('native/jangada-pod'),
  unpacker: built('native/jangada-unpack'),
} as const;
