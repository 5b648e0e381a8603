/** What a client was promised a stream for, as its RPC checked it. */
export type StreamRequest =
  | ({ readonly kind: 'exec'; readonly containerId: string; readonly command: readonly string[] } & WantedStdio)
  | ({ readonly kind: 'attach'; readonly containerId: string } & WantedStdio)
  /** `ports`: those of the request; a client that opens streams names the port with each. */
  | { readonly kind: 'portforward'; readonly sandboxId: string; readonly ports: readonly number[] };

export interface WantedStdio {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Whoever serves streams: hands out a URL that is good for one connection. */
export interface StreamUrls {
  urlFor(request: StreamRequest): string;
}
