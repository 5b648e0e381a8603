import {
  Metadata,
  status,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Rpc, Rpcs, StreamRpc } from '../cri/rpc.js';
import { RuntimeError, unavailable, unimplemented } from '../base/errors.js';
import { isUnwritable } from '../base/unwritable.js';
import type { Calls } from './calls.js';
import type { Encode } from './encoding.js';

/** Every method of `service`, wrapped once: logging, timing, the end of the daemon, and the one place where an error becomes a gRPC status. */
export const implement = (
  service: ServiceDefinition,
  { unary, streams }: Rpcs,
  log: Logger,
  calls: Calls,
): UntypedServiceImplementation => {
  const unknown = [
    ...Object.keys(unary).filter((name) => service[name]?.responseStream !== false),
    ...Object.keys(streams).filter((name) => service[name]?.responseStream !== true),
  ];
  if (unknown.length > 0) throw new Error(`not in the CRI proto: ${unknown.join(', ')}`);
  const entries = Object.entries(service).map(([name, method]) => {
    const { ahead } = method.responseSerialize as Encode;
    if (method.responseStream)
      return [name, stream(name, encodedAhead(streams[name] ?? refuseStream(name), ahead), log, calls)] as const;
    const rpc = unary[name] ?? refuse(name);
    return [name, call(name, async (request, gone) => prepared(await rpc(request, gone), ahead), log, calls)] as const;
  });
  return Object.fromEntries(entries);
};

/** What grpc-js encodes in one go is encoded before, in slices. */
const prepared = async (reply: object, ahead: Encode['ahead']): Promise<object> => {
  await ahead?.(reply);
  return reply;
};

const encodedAhead = (rpc: StreamRpc, ahead: Encode['ahead']): StreamRpc =>
  async function* (request, signal) {
    for await (const message of rpc(request, signal)) yield await prepared(message, ahead);
  };

const call =
  (name: string, rpc: Rpc, log: Logger, calls: Calls): handleUnaryCall<unknown, unknown> =>
  (call, callback) => {
    const begin = performance.now();
    const gone = new AbortController();
    const leave = () => gone.abort();
    call.once('cancelled', leave);
    const mayAnswer = calls.begin(() => {
      callback(failed(name, begin, stopping(name), log));
      leave();
    });
    // grpc-js calls an answered call cancelled, too; an abort that nobody hears costs a tenth of a millisecond.
    const mayEnd = () => {
      call.off('cancelled', leave);
      return mayAnswer();
    };
    // A synchronous throw and a rejection take the same way out.
    Promise.resolve()
      .then(() => rpc(call.request as never, gone.signal))
      .then(
        (reply) => {
          if (!mayEnd()) return;
          log.debug({ rpc: name, ms: elapsed(begin) }, 'done');
          callback(null, reply);
        },
        (error: unknown) => mayEnd() && callback(failed(name, begin, error, log)),
      );
  };

/** One message at a time is on its way: the next one is asked for when the client's flow control has taken the last. */
const stream =
  (name: string, rpc: StreamRpc, log: Logger, calls: Calls): handleServerStreamingCall<unknown, unknown> =>
  (call) => {
    const begin = performance.now();
    const gone = new AbortController();
    const fail = (error: unknown) => call.emit('error', failed(name, begin, error, log));
    const mayAnswer = calls.begin(() => {
      fail(stopping(name));
      gone.abort();
    });
    call.once('cancelled', () => gone.abort());
    const send = async () => {
      const messages = rpc(call.request as never, gone.signal);
      // A client that waits for its first message knows by this that it is being served.
      call.sendMetadata(new Metadata());
      for await (const message of messages) {
        if (gone.signal.aborted) return;
        await written(call, message, gone.signal);
      }
    };
    send().then(
      () => {
        if (!mayAnswer()) return;
        log.debug({ rpc: name, ms: elapsed(begin), cancelled: gone.signal.aborted }, 'done');
        call.end();
      },
      (error: unknown) => mayAnswer() && fail(error),
    );
  };

const written = (call: ServerWritableStream<unknown, unknown>, message: object, gone: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const settle = () => {
      gone.removeEventListener('abort', settle);
      resolve();
    };
    gone.addEventListener('abort', settle);
    call.write(message, settle);
  });

const failed = (name: string, begin: number, error: unknown, log: Logger): { code: status; details: string } => {
  const { code, details } = toStatus(error);
  const unexpected = code === status.INTERNAL || code === status.UNKNOWN;
  log[unexpected ? 'error' : 'info'](
    { rpc: name, ms: elapsed(begin), code: status[code], err: unexpected ? error : undefined },
    details,
  );
  return { code, details };
};

const stopping = (name: string) => unavailable(`the daemon stops: ${name} is not finished; ask again when it is back`);

const notYet = (name: string) => unimplemented(`${name}: this version of jangada does not implement it`);

const refuse =
  (name: string): Rpc =>
  () =>
    Promise.reject(notYet(name));

const refuseStream = (name: string): StreamRpc =>
  // oxlint-disable-next-line require-yield -- it only fails
  async function* () {
    throw notYet(name);
  };

/** Errors made for clients keep their status; anything else is a fault of ours and says so. */
export const toStatus = (error: unknown): { code: status; details: string } => {
  if (error instanceof RuntimeError) return { code: error.code, details: error.message };
  const errno = (error as NodeJS.ErrnoException | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return { code: status.RESOURCE_EXHAUSTED, details: `no space left on device: ${message}` };
  if (isUnwritable(error)) return { code: status.FAILED_PRECONDITION, details: `cannot be written to: ${message}` };
  // Of a program that was asked, a supervisor for example: what it has done nobody knows, and a repeated request finds out.
  if (errno === 'ECONNRESET' || errno === 'EPIPE') return { code: status.UNAVAILABLE, details: message };
  if (errno === 'ETIMEDOUT') return { code: status.DEADLINE_EXCEEDED, details: message };
  return { code: status.INTERNAL, details: message };
};

const elapsed = (begin: number): number => Math.round((performance.now() - begin) * 100) / 100;
