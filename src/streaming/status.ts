/** How a command or an attachment ended, as its client is told. */
export type Outcome =
  | { readonly kind: 'success' }
  | { readonly kind: 'exit'; readonly code: number; readonly command: readonly string[] }
  | { readonly kind: 'error'; readonly message: string };

export const exitOutcome = (code: number, command: readonly string[]): Outcome =>
  code === 0 ? { kind: 'success' } : { kind: 'exit', code, command };

/** For versions 4 and 5 of the protocol: a metav1.Status of Kubernetes. */
export const statusJson = (outcome: Outcome): string => JSON.stringify(statusOf(outcome));

/** For the older ones: a text, and nothing at all for a success. */
export const statusText = (outcome: Outcome): string => messageOf(outcome);

const statusOf = (outcome: Outcome): object => {
  switch (outcome.kind) {
    case 'success':
      return { metadata: {}, status: 'Success' };
    case 'exit':
      return {
        metadata: {},
        status: 'Failure',
        message: messageOf(outcome),
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(outcome.code) }] },
      };
    case 'error':
      return {
        metadata: {},
        status: 'Failure',
        message: messageOf(outcome),
        reason: 'InternalError',
        details: { causes: [{ message: outcome.message }] },
        code: 500,
      };
  }
};

const messageOf = (outcome: Outcome): string => {
  switch (outcome.kind) {
    case 'success':
      return '';
    case 'exit': {
      const command = `[${outcome.command.join(' ')}]`;
      return `command terminated with non-zero exit code: error executing command ${command}, exit code ${outcome.code}`;
    }
    case 'error':
      return `Internal error occurred: ${outcome.message}`;
  }
};
