import type protobuf from 'protobufjs/light.js';
import { inSlices } from '../base/in-slices.js';

export interface Encode {
  (message: object): Buffer;
  /** Does the work before, while others have their turn: what is encoded then is there already. */
  readonly ahead?: (message: object) => Promise<void>;
}

/** Thousands of values in a message: whoever makes these gives their enums as numbers. */
const NUMERIC = new Set(['PodSandboxMetrics']);

/** Encodes messages of a type; 64-bit integers may be strings, and enums too but for the few types above. */
export const encoderOf = (type: protobuf.Type): Encode => {
  const [only, ...others] = type.fieldsArray;
  if (only?.repeated && others.length === 0 && only.resolvedType && 'encode' in only.resolvedType)
    return listEncoder(only, whole(only.resolvedType));
  return whole(type);
};

/** Converting costs more than encoding, and only names of enums need it: the encoder itself takes strings for 64-bit integers. */
const whole = (type: protobuf.Type): Encode =>
  hasEnum(type) && !NUMERIC.has(type.name)
    ? (message) => type.encode(type.fromObject(message)).finish() as Buffer
    : (message) => type.encode(message).finish() as Buffer;

const hasEnum = (type: protobuf.Type, seen = new Set<protobuf.Type>()): boolean => {
  if (seen.has(type)) return false;
  seen.add(type);
  return type.fieldsArray.some(
    ({ resolvedType }) => resolvedType && (!('encode' in resolvedType) || hasEnum(resolvedType, seen)),
  );
};

const LENGTH_DELIMITED = 2;

/**
 * Encodes messages that are nothing but a list. Such a message is the concatenation of its items, each behind the field's tag and its
 * length (protobuf encoding), so a node full of pods is listed by copying: what a frozen item encodes to is kept as long as the item is.
 * The kubelet asks every second, and mostly nothing has changed: the last list of frozen items is kept as a whole.
 */
const listEncoder = (field: protobuf.Field, encode: Encode): Encode => {
  const tag = (field.id << 3) | LENGTH_DELIMITED;
  const kept = new WeakMap<object, Buffer>();
  const entryOf = (item: object): Buffer => {
    const known = kept.get(item);
    if (known) return known;
    const bytes = encode(item);
    const entry = Buffer.concat([varint(tag), varint(bytes.length), bytes]);
    if (Object.isFrozen(item)) kept.set(item, entry);
    return entry;
  };
  let last: { items: readonly object[]; bytes: Buffer } = { items: [], bytes: Buffer.alloc(0) };
  const itemsOf = (message: object) => (message as Record<string, object[]>)[field.name] ?? [];
  const join = (items: readonly object[], entries: readonly Buffer[]): Buffer => {
    const bytes = Buffer.concat(entries);
    if (items.every((item) => kept.has(item))) last = { items, bytes };
    return bytes;
  };
  const made = new WeakMap<object, Buffer>();
  const ahead = async (message: object): Promise<void> => {
    const items = itemsOf(message);
    if (!isSame(items, last.items)) made.set(message, join(items, await inSlices(items, entryOf)));
  };
  const all = (message: object): Buffer => {
    const items = itemsOf(message);
    return isSame(items, last.items) ? last.bytes : (made.get(message) ?? join(items, items.map(entryOf)));
  };
  return Object.assign(all, { ahead });
};

const isSame = (items: readonly object[], others: readonly object[]): boolean =>
  items.length === others.length && items.every((item, index) => item === others[index]);

const varint = (value: number): Uint8Array => {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
  return Uint8Array.from(bytes);
};
