/**
 * JSON whose bytes come back as bytes. Node would write a number for each: four characters a byte instead of four for three. Maps of the
 * CRI have texts as values, so the array keeps a label `base64` what it is.
 */
export const toJson = (value: object): string => JSON.stringify(value, bytesAsText);

export const fromJson = (text: string): unknown => JSON.parse(text, (_key, value: unknown) => textAsBytes(value));

function bytesAsText(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const original = this[key];
  return original instanceof Uint8Array ? { base64: [Buffer.from(original).toString('base64')] } : value;
}

const textAsBytes = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if ('base64' in value && Array.isArray(value.base64)) return Buffer.from(String(value.base64[0]), 'base64');
  // As versions before had it.
  if ('type' in value && value.type === 'Buffer' && 'data' in value && Array.isArray(value.data))
    return Buffer.from(value.data as number[]);
  return value;
};
