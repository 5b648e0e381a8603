/** A pod's annotations are at most 256 KiB (Kubernetes' validation): this many items stay well below gRPC's 16 MiB a message. */
const ITEMS = 32;

/**
 * What a Stream… RPC sends in place of its List…: every item in exactly one message, no message without items (api.proto, KEP-5825).
 * The items of a chunk are made when it is sent.
 */
export async function* inChunks<S, R extends object>(
  sources: readonly S[],
  message: (chunk: readonly S[]) => R | Promise<R>,
): AsyncGenerator<R> {
  for (let at = 0; at < sources.length; at += ITEMS) yield await message(sources.slice(at, at + ITEMS));
}
