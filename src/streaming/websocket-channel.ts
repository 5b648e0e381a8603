/** Channels of a WebSocket in Kubernetes' protocols: the first byte of a message names one; in the base64 variants it is a digit. */
export const Channel = { STDIN: 0, STDOUT: 1, STDERR: 2, ERROR: 3, RESIZE: 4, CLOSE: 255 } as const;

const DIGIT_0 = 0x30;

export const encodeMessage = (channel: number, bytes: Buffer, base64: boolean): Buffer | string => {
  if (base64) return `${channel}${bytes.toString('base64')}`;
  const message = Buffer.allocUnsafe(1 + bytes.length);
  message[0] = channel;
  bytes.copy(message, 1);
  return message;
};

/** Undefined for a message without a channel. */
export const decodeMessage = (message: Buffer, base64: boolean): { channel: number; bytes: Buffer } | undefined => {
  const [first] = message;
  if (first === undefined) return undefined;
  if (!base64) return { channel: first, bytes: message.subarray(1) };
  return { channel: first - DIGIT_0, bytes: Buffer.from(message.toString('latin1', 1), 'base64') };
};
