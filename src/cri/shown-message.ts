import { descriptor } from '../gen/descriptor.js';

interface Field {
  readonly type: string;
  readonly rule?: 'repeated';
  /** Of a map. */
  readonly keyType?: string;
}

interface Type {
  readonly fields?: Readonly<Record<string, Field>>;
  /** Of an enumeration. */
  readonly values?: Readonly<Record<string, number>>;
}

let types: Readonly<Record<string, Type>> | undefined;

/**
 * A CRI message as `info.config` of `crictl inspect` and `crictl inspectp` has it, where tools read it: names of api.proto, numbers for
 * 64-bit integers and enumerations, and no field that has its default. Go's encoding/json writes it so for other runtimes. Bytes are text.
 */
export const shownMessage = (type: string, message: object): Record<string, unknown> => {
  types ??= (JSON.parse(descriptor) as { nested: { runtime: { nested: { v1: { nested: Record<string, Type> } } } } })
    .nested.runtime.nested.v1.nested;
  const shown: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(types[type]?.fields ?? {})) {
    const value = showField(field, (message as Record<string, unknown>)[name]);
    if (value !== undefined) shown[wireName(name)] = value;
  }
  return shown;
};

/** `cpusetMems` is cpuset_mems, `CDIDevices` CDI_devices. */
const wireName = (name: string): string =>
  (name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z\d]+/g) ?? [])
    .map((word) => (/^[A-Z]{2}/.test(word) ? word : word.toLowerCase()))
    .join('_');

const showField = (field: Field, value: unknown): unknown => {
  if (value === undefined || value === null) return undefined;
  if (field.keyType) return Object.keys(value).length > 0 ? value : undefined;
  if (field.rule !== 'repeated') return show(field.type, value) || undefined;
  const items = value as readonly unknown[];
  return items.length > 0 ? items.map((item) => show(field.type, item)) : undefined;
};

const show = (type: string, value: unknown): unknown => {
  const known = types?.[type];
  if (known?.values) return typeof value === 'string' ? known.values[value] : value;
  if (known) return shownMessage(type, value as object);
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString();
  return type.endsWith('64') && Number.isSafeInteger(Number(value)) ? Number(value) : value;
};
