/**
 * D-Bus values on the wire (D-Bus specification, "Marshaling"), little-endian, for the types that org.freedesktop.systemd1 needs. A
 * variant is a Variant, an array an array (of bytes: a Uint8Array), a struct an array of its fields, a 64-bit integer a bigint.
 */
export interface Variant {
  readonly signature: string;
  readonly value: unknown;
}

/** What is not D-Bus: the connection that said it is closed. */
export class DBusError extends Error {
  override readonly name = 'DBusError';
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  ...{ y: 1, b: 4, n: 2, q: 2, i: 4, u: 4, x: 8, t: 8, d: 8, s: 4, o: 4, g: 1, v: 1, h: 4, a: 4, '(': 8, '{': 8 },
};
/** The specification's limits on arrays and on how deep types nest. */
const MAX_ARRAY = 1 << 26;
const MAX_DEPTH = 32;

/** The complete types that a signature is made of: `sa(sv)u` → `s`, `a(sv)`, `u`. */
export const completeTypes = (signature: string): string[] => {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at, 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
};

const endOfType = (signature: string, at: number, depth: number): number => {
  const code = signature[at] ?? '';
  if (!(code in ALIGNMENT) || depth > MAX_DEPTH) throw new DBusError(`bad signature ${JSON.stringify(signature)}`);
  if (code === 'a') return endOfType(signature, at + 1, depth + 1);
  if (code !== '(' && code !== '{') return at + 1;
  const close = code === '(' ? ')' : '}';
  let end = at + 1;
  while (signature[end] !== close) end = endOfType(signature, end, depth + 1);
  return end + 1;
};

const inner = (type: string): string => type.slice(1, type[0] === 'a' ? undefined : -1);
const alignmentOf = (type: string): number => ALIGNMENT[type[0] ?? ''] ?? 1;

/** Appends values to a message body; alignment counts from its start. */
export class Writer {
  #parts: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  align(to: number): this {
    return this.raw(Buffer.alloc((to - (this.#length % to)) % to));
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    this.#length += bytes.length;
    return this;
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.align(4).raw(bytes);
  }

  all(signature: string, values: readonly unknown[]): this {
    for (const [index, type] of completeTypes(signature).entries()) this.value(type, values[index]);
    return this;
  }

  value(type: string, value: unknown): this {
    switch (type[0]) {
      case 'y':
        return this.raw(Uint8Array.of(value as number));
      case 'b':
        return this.u32(value === true ? 1 : 0);
      case 'u':
        return this.u32(value as number);
      case 't':
        return this.#u64(value as bigint);
      case 's':
      case 'o':
        return this.#string(value as string);
      case 'g':
        return this.#signature(value as string);
      case 'v':
        return this.#signature((value as Variant).signature).value(
          (value as Variant).signature,
          (value as Variant).value,
        );
      case 'a':
        return this.#array(inner(type), value as Uint8Array | readonly unknown[]);
      case '(':
        return this.align(8).all(inner(type), value as readonly unknown[]);
      default:
        throw new DBusError(`cannot write type ${type}`);
    }
  }

  #u64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return this.align(8).raw(bytes);
  }

  #string(text: string): this {
    const bytes = Buffer.from(text);
    if (bytes.includes(0)) throw new DBusError('a string with a NUL');
    return this.u32(bytes.length).raw(bytes).raw(Uint8Array.of(0));
  }

  #signature(text: string): this {
    return this.raw(Uint8Array.of(text.length)).raw(Buffer.from(text)).raw(Uint8Array.of(0));
  }

  /** The length does not count the padding before the first element. */
  #array(type: string, elements: Uint8Array | readonly unknown[]): this {
    this.u32(0);
    const length = this.#parts.at(-1) as Buffer;
    this.align(alignmentOf(type));
    const start = this.#length;
    if (elements instanceof Uint8Array) this.raw(elements);
    else for (const element of elements) this.value(type, element);
    length.writeUInt32LE(this.#length - start);
    return this;
  }
}

/** Reads values; whatever does not fit into the bytes is an error. */
export class Reader {
  #at = 0;

  constructor(private readonly data: Buffer) {}

  align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to;
  }

  all(signature: string): unknown[] {
    return completeTypes(signature).map((type) => this.value(type));
  }

  value(type: string, depth = 0): unknown {
    if (depth > MAX_DEPTH) throw new DBusError('values nest too deep');
    this.align(alignmentOf(type));
    switch (type[0]) {
      case 'y':
        return this.#take(1).readUInt8();
      case 'b':
        return this.#take(4).readUInt32LE() === 1;
      case 'q':
        return this.#take(2).readUInt16LE();
      case 'n':
        return this.#take(2).readInt16LE();
      case 'i':
        return this.#take(4).readInt32LE();
      case 'u':
      case 'h':
        return this.#take(4).readUInt32LE();
      case 'x':
        return this.#take(8).readBigInt64LE();
      case 't':
        return this.#take(8).readBigUInt64LE();
      case 'd':
        return this.#take(8).readDoubleLE();
      case 's':
      case 'o':
        return this.#text(this.#take(4).readUInt32LE());
      case 'g':
        return this.#text(this.#take(1).readUInt8());
      case 'v':
        return this.#variant(depth);
      case 'a':
        return this.#array(inner(type), depth);
      default:
        return completeTypes(inner(type)).map((field) => this.value(field, depth + 1));
    }
  }

  #variant(depth: number): Variant {
    const signature = this.#text(this.#take(1).readUInt8());
    if (completeTypes(signature).length !== 1) throw new DBusError(`a variant of ${JSON.stringify(signature)}`);
    return { signature, value: this.value(signature, depth + 1) };
  }

  #array(type: string, depth: number): unknown {
    const length = this.#take(4).readUInt32LE();
    this.align(alignmentOf(type));
    if (length > MAX_ARRAY) throw new DBusError(`an array of ${length} bytes`);
    if (type === 'y') return new Uint8Array(this.#take(length));
    const end = this.#at + length;
    if (end > this.data.length) throw new DBusError('truncated array');
    const elements: unknown[] = [];
    while (this.#at < end) elements.push(this.value(type, depth + 1));
    return elements;
  }

  #text(length: number): string {
    const text = this.#take(length).toString();
    this.#take(1);
    return text;
  }

  #take(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.data.length) throw new DBusError('truncated message');
    return this.data.subarray(from, this.#at);
  }
}
