import { RuntimeError, unavailable } from '../base/errors.js';

/** The registry cannot serve at all: it is out of reach, or in trouble itself. */
export class RegistryUnavailable extends RuntimeError {}

/** No answer, or one that broke off. A connection that broke may work again; a certificate that is not trusted will not. */
export class Unreachable extends RegistryUnavailable {
  constructor(
    cause: RuntimeError,
    readonly transient: boolean,
  ) {
    super(cause.code, cause.message, { cause: cause.cause });
  }
}

/** Of a failed pull; what other hosts said may be in front of it. */
export const isRegistryUnavailable = (error: unknown): error is RuntimeError =>
  error instanceof RuntimeError && [error, error.cause].some((it) => it instanceof RegistryUnavailable);

export const isTransient = (error: unknown): boolean => error instanceof Unreachable && error.transient;

export const unreachable = (where: string, host: string, error: unknown): RuntimeError => {
  const reason = reasonOf(error);
  if (/^ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO/.test(reason))
    return new Unreachable(
      unavailable(`certificate not trusted (${reason}): ${where}; name its CA in the registry's hosts.toml`, error),
      false,
    );
  if (/^ERR_SSL|EPROTO/.test(reason))
    return new Unreachable(
      unavailable(
        `no TLS there (${reason}): ${where}; for plain HTTP name http://${host} in the registry's hosts.toml`,
        error,
      ),
      false,
    );
  return new Unreachable(unavailable(`registry does not answer (${reason}): ${where}`, error), true);
};

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'failed';
  // What undici makes of a proxy that refuses a tunnel.
  const refused = /^Proxy response \((\d{3})\)/.exec(error.message)?.[1];
  return refused ? `the proxy answered ${refused}` : ((error as NodeJS.ErrnoException).code ?? error.name);
};
