import { invalidArgument } from '../errors.js';

/** Handlers of RuntimeClass; the empty name is the default one. */
export const HANDLERS = ['', 'native'] as const;

export const checkHandler = (handler: string): void => {
  if (HANDLERS.some((name) => name === handler)) return;
  throw invalidArgument(
    `unknown runtime handler: "${handler}"; this node has ${HANDLERS.map((name) => `"${name}"`).join(' and ')}`,
  );
};
