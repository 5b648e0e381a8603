/**
 * Frames of SPDY/3.1 as they are written.
 *
 *   data      0 | stream id (31)          | flags (8) | length (24) | bytes
 *   control   1 | version (15) | type (16) | flags (8) | length (24) | fields
 */
export const FrameType = {
  SYN_STREAM: 1,
  SYN_REPLY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  HEADERS: 8,
  WINDOW_UPDATE: 9,
} as const;

export const FLAG_FIN = 0x01;
export const CONTROL_BIT = 0x80;
const VERSION_3 = 0x8003;

export const ResetStatus = { PROTOCOL_ERROR: 1, REFUSED_STREAM: 3, CANCEL: 5 } as const;

const control = (type: number, flags: number, payload: Buffer): Buffer => {
  const frame = Buffer.allocUnsafe(8 + payload.length);
  frame.writeUInt16BE(VERSION_3, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  payload.copy(frame, 8);
  return frame;
};

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

/** The header of a data frame; its bytes follow it unchanged. */
export const dataHeader = (streamId: number, length: number, fin: boolean): Buffer =>
  words(streamId, ((fin ? FLAG_FIN << 24 : 0) | length) >>> 0);

export const synReplyFrame = (streamId: number, headerBlock: Buffer): Buffer =>
  control(FrameType.SYN_REPLY, 0, Buffer.concat([words(streamId), headerBlock]));
export const resetFrame = (streamId: number, status: number): Buffer =>
  control(FrameType.RST_STREAM, 0, words(streamId, status));
export const pingFrame = (id: number): Buffer => control(FrameType.PING, 0, words(id));
export const goAwayFrame = (lastStreamId: number, status: number): Buffer =>
  control(FrameType.GOAWAY, 0, words(lastStreamId, status));
