/**
 * An RPC as the service layer writes it: a request in, a reply or a thrown error out; `signal` says that the client has gone, cut off or past
 * its deadline, and will not hear the reply. The proto's types hold at each definition.
 */
export type Rpc = (request: never, signal: AbortSignal) => Promise<object>;

/** An RPC with a stream of replies; it stops producing when `signal` says that nobody reads any more. */
export type StreamRpc = (request: never, signal: AbortSignal) => AsyncIterable<object>;

/** The RPCs of a service by their names in the proto. */
export interface Rpcs {
  readonly unary: Readonly<Record<string, Rpc>>;
  readonly streams: Readonly<Record<string, StreamRpc>>;
}
