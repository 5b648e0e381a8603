import { DBusError, Reader, type Variant, Writer } from './marshal.js';

/** One D-Bus message (D-Bus specification, "Message Format"). */
export interface Message {
  readonly type: 'call' | 'return' | 'error' | 'signal';
  readonly serial: number;
  readonly replySerial?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly destination?: string;
  readonly signature?: string;
  readonly body: readonly unknown[];
}

const TYPES = ['call', 'return', 'error', 'signal'] as const;
const LITTLE_ENDIAN = 0x6c;
const VERSION = 1;
const FIXED = 16;
/** Far above any answer that is read here; the specification allows 128 MiB. */
const MAX_MESSAGE = 1 << 24;

/** Codes and types of the header fields. */
const FIELDS = [
  ['path', 1, 'o'],
  ['interface', 2, 's'],
  ['member', 3, 's'],
  ['errorName', 4, 's'],
  ['replySerial', 5, 'u'],
  ['destination', 6, 's'],
  ['signature', 8, 'g'],
] as const;

export const encodeMessage = (message: Message): Buffer => {
  const body = new Writer().all(message.signature ?? '', message.body).bytes();
  const fields = FIELDS.filter(([name]) => message[name] !== undefined && message[name] !== '').map(
    ([name, code, signature]) => [code, { signature, value: message[name] }],
  );
  const header = new Writer()
    .raw(Uint8Array.of(LITTLE_ENDIAN, TYPES.indexOf(message.type) + 1, 0, VERSION))
    .u32(body.length)
    .u32(message.serial)
    .value('a(yv)', fields)
    .align(8);
  return Buffer.concat([header.bytes(), body]);
};

/** The first message of `data` and where it ends; undefined while it is not complete. */
export const decodeMessage = (data: Buffer): { message: Message; end: number } | undefined => {
  if (data.length < FIXED) return undefined;
  if (data.readUInt8(0) !== LITTLE_ENDIAN || data.readUInt8(3) !== VERSION) throw new DBusError('not a D-Bus message');
  const bodyLength = data.readUInt32LE(4);
  const headerLength = Math.ceil((FIXED + data.readUInt32LE(12)) / 8) * 8;
  const end = headerLength + bodyLength;
  if (end > MAX_MESSAGE) throw new DBusError(`a message of ${end} bytes`);
  if (data.length < end) return undefined;
  const type = TYPES[data.readUInt8(1) - 1];
  const reader = new Reader(data.subarray(0, headerLength));
  const [, , , , , serial, fields] = reader.all('yyyyuua(yv)') as [0, 0, 0, 0, 0, number, Array<[number, Variant]>];
  const named = Object.fromEntries(
    fields.flatMap(([code, { value }]) => FIELDS.filter((field) => field[1] === code).map(([name]) => [name, value])),
  ) as Partial<Message>;
  const body = new Reader(data.subarray(headerLength, end)).all(named.signature ?? '');
  return { message: { ...named, type: type ?? 'signal', serial, body }, end };
};
