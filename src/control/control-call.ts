/** What a client of the control socket asks. */
export interface ControlRequest {
  readonly query: URLSearchParams;
  /** The body as a JSON object, for calls that take one. */
  readonly json: () => Promise<Readonly<Record<string, unknown>>>;
  /** The body as it comes, for calls that take a stream. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** A call as the service layer writes it: a request in, what becomes JSON or a thrown error out. */
export type ControlCall = (request: ControlRequest) => Promise<object>;

/** By method and path. */
export type ControlCalls = Readonly<Record<string, ControlCall>>;
