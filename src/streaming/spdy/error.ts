/** What the peer sent is not SPDY/3.1, or more than we take: the connection ends. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}
