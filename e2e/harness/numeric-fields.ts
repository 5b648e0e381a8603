import { descriptor } from '../../src/gen/descriptor.js';

interface Field {
  readonly type: string;
  readonly rule?: 'repeated';
  readonly keyType?: string;
}

interface Types {
  readonly [name: string]: { readonly fields?: Readonly<Record<string, Field>> };
}

const types = (JSON.parse(descriptor) as { nested: { runtime: { nested: { v1: { nested: Types } } } } }).nested.runtime
  .nested.v1.nested;

export interface NumericField {
  readonly path: readonly string[];
  /** Of each step of the path: whether it is a list, which then has one entry. */
  readonly lists: readonly boolean[];
  readonly type: string;
}

const NUMBER = /^(int|uint|sint)(32|64)$/;

/** Every field of a message, and of the messages in it, that holds a number. */
export const numericFields = (type: string, seen: readonly string[] = []): NumericField[] =>
  Object.entries(types[type]?.fields ?? {}).flatMap(([name, field]) => {
    const list = field.rule === 'repeated';
    if (field.keyType || seen.includes(type)) return [];
    if (NUMBER.test(field.type)) return [{ path: [name], lists: [list], type: field.type }];
    return numericFields(field.type, [...seen, type]).map((below) => ({
      path: [name, ...below.path],
      lists: [list, ...below.lists],
      type: below.type,
    }));
  });

/** The numbers at the ends of a type, around zero, where JavaScript's end, and what a kernel calls unlimited. */
export const edges = (type: string): string[] => {
  const bits = BigInt(type.slice(-2));
  const signed = !type.startsWith('u');
  const numbers = signed
    ? [-(2n ** (bits - 1n)), -2n, -1n, 0n, 1n, 2n ** (bits - 1n) - 1n]
    : [0n, 1n, 2n ** (bits - 1n), 2n ** bits - 1n];
  if (bits === 64n) numbers.push(1n << 31n, 1n << 32n, (1n << 53n) + 1n, 9_223_372_036_854_771_712n);
  return numbers.map(String);
};

/** A message that has only this field, and what it is in. */
export const withNumber = ({ path, lists }: NumericField, number: string): object =>
  path.reduceRight<unknown>((inner, name, index) => ({ [name]: lists[index] ? [inner] : inner }), number) as object;
