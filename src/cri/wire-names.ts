/** Fields whose keys are the user's: they stay as they are. */
const MAPS = new Set(['labels', 'annotations', 'sysctls', 'unified']);

/** A message under the names that api.proto gives its fields, as verbose information shows it; bytes are text. */
export const withWireNames = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withWireNames);
  if (typeof value !== 'object' || value === null) return value;
  if (Buffer.isBuffer(value)) return value.toString();
  if (isBytes(value)) return Buffer.from(value.data).toString();
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      MAPS.has(name) ? field : withWireNames(field),
    ]),
  );
};

/** A Buffer that came back from the journal. */
const isBytes = (value: object): value is { data: number[] } =>
  'type' in value && value.type === 'Buffer' && 'data' in value && Array.isArray(value.data);
