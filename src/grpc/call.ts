import {
  status,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type UntypedServiceImplementation,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Rpc } from '../cri/rpc.js';
import { RuntimeError } from '../errors.js';

/** Every method of `service`, wrapped once: logging, timing, and the one place where an error becomes a gRPC status. */
export const implement = (
  service: ServiceDefinition,
  rpcs: Readonly<Record<string, Rpc>>,
  log: Logger,
): UntypedServiceImplementation => {
  const unknown = Object.keys(rpcs).filter((name) => !(name in service));
  if (unknown.length > 0) throw new Error(`not in the CRI proto: ${unknown.join(', ')}`);
  const entries = Object.entries(service).map(([name, method]) => {
    const rpc = rpcs[name];
    if (!rpc) return [name, method.responseStream ? refuseStream(name) : refuse(name)] as const;
    return [name, unary(name, rpc, log)] as const;
  });
  return Object.fromEntries(entries);
};

const unary =
  (name: string, rpc: Rpc, log: Logger): handleUnaryCall<unknown, unknown> =>
  (call, callback) => {
    const begin = performance.now();
    // A synchronous throw and a rejection take the same way out.
    Promise.resolve()
      .then(() => rpc(call.request as never))
      .then(
        (reply) => {
          log.debug({ rpc: name, ms: elapsed(begin) }, 'done');
          callback(null, reply);
        },
        (error: unknown) => {
          const { code, details } = toStatus(error);
          const unexpected = code === status.INTERNAL || code === status.UNKNOWN;
          log[unexpected ? 'error' : 'info'](
            { rpc: name, ms: elapsed(begin), code: status[code], err: unexpected ? error : undefined },
            details,
          );
          callback({ code, details });
        },
      );
  };

const NOT_YET = 'this version of jangada does not implement it';

const refuse =
  (name: string): handleUnaryCall<unknown, unknown> =>
  (_call, callback) =>
    callback({ code: status.UNIMPLEMENTED, details: `${name}: ${NOT_YET}` });

const refuseStream =
  (name: string): handleServerStreamingCall<unknown, unknown> =>
  (call) => {
    call.emit('error', { code: status.UNIMPLEMENTED, details: `${name}: ${NOT_YET}` });
  };

/** Errors made for clients keep their status; anything else is a fault of ours and says so. */
export const toStatus = (error: unknown): { code: status; details: string } => {
  if (error instanceof RuntimeError) return { code: error.code, details: error.message };
  const errno = (error as NodeJS.ErrnoException | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return { code: status.RESOURCE_EXHAUSTED, details: `no space left on device: ${message}` };
  return { code: status.INTERNAL, details: message };
};

const elapsed = (begin: number): number => Math.round((performance.now() - begin) * 100) / 100;
