import { invalidArgument } from '../base/errors.js';

/** A field of a request that must be a text of some length. */
export const requiredText = (fields: Readonly<Record<string, unknown>>, field: string): string => {
  const value = fields[field];
  if (typeof value === 'string' && value !== '') return value;
  throw invalidArgument(`missing ${field}: the request must name it`);
};
