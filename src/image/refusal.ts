import { status as Status } from '@grpc/grpc-js';
import { notFound, permissionDenied, RuntimeError, unavailable } from '../base/errors.js';
import { RegistryUnavailable } from './unreachable.js';

export const unauthenticated = (message: string) => new RuntimeError(Status.UNAUTHENTICATED, message);

/** What a registry or its token server has refused, by the status alone: only some of them have to do with credentials. */
export const refusal = (status: number, server: 'registry' | 'token server', what: string): RuntimeError => {
  if (status === 404 && server === 'registry') return notFound(`not in the registry: ${what}; check name and tag`);
  switch (status) {
    case 401:
      return unauthenticated(`credentials refused (401): ${what}; check the pull secret, and the name`);
    case 403:
      return permissionDenied(`forbidden by the ${server} (403): ${what}; check the pull secret's rights`);
    case 407:
      return unavailable(`the proxy wants credentials (407): ${what}; name them in the proxy's address`);
    case 429:
      return unavailable(`too many requests (429): ${what}; wait, or give the pod a pull secret with a higher limit`);
    default:
      return status < 500
        ? unavailable(`${server} answered ${status}: ${what}`)
        : new RegistryUnavailable(Status.UNAVAILABLE, `${server} answered ${status}: ${what}`);
  }
};
