import type { Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { WantedStdio } from '../lifecycle/stream-request.js';
import { type ClientStreams, ended } from './client-streams.js';
import type { RemoteVersion } from './negotiate.js';
import { type Outcome, statusJson, statusText } from './status.js';
import { TerminalSizes } from './terminal-size.js';
import { Channel } from './websocket-channel.js';
import { type ChannelOptions, WebSocketChannels } from './websocket-channels.js';

export interface WebSocketClientOptions extends WantedStdio, ChannelOptions {
  version: RemoteVersion;
}

/** Standard streams in the channels of a WebSocket. */
export class WebSocketClient implements ClientStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly gone: AbortSignal;
  readonly #channels: WebSocketChannels;
  readonly #version: RemoteVersion;
  /** A size that came before anybody listened: clients send the first one at once. */
  #size: [number, number] | undefined;
  #listener: (width: number, height: number) => void = (...size) => {
    this.#size = size;
  };

  constructor(socket: WebSocket, options: WebSocketClientOptions) {
    this.#channels = new WebSocketChannels(socket, options);
    this.#version = options.version;
    this.gone = this.#channels.gone;
    this.stdin = options.stdin ? this.#channels.duplex(Channel.STDIN) : undefined;
    this.stdout = options.stdout ? this.#channels.writable(Channel.STDOUT) : undefined;
    this.stderr = options.stderr ? this.#channels.writable(Channel.STDERR) : undefined;
    if (options.version >= 5)
      this.#channels.onMessage(Channel.CLOSE, ([channel]) => {
        if (channel === Channel.STDIN && this.stdin) this.#channels.endReadable(Channel.STDIN, this.stdin);
      });
    const sizes = new TerminalSizes();
    this.#channels.onMessage(Channel.RESIZE, (bytes) => sizes.push(bytes, (...size) => this.#listener(...size)));
    // An empty message tells the client that all is ready, as the field's servers do.
    this.#channels.send(this.stdout ? Channel.STDOUT : this.stderr ? Channel.STDERR : Channel.ERROR, Buffer.alloc(0));
  }

  onResize(listener: (width: number, height: number) => void): void {
    this.#listener = listener;
    if (this.#size) listener(...this.#size);
  }

  async finish(outcome: Outcome): Promise<void> {
    await Promise.all([ended(this.stdout), ended(this.stderr)]);
    const text = this.#version >= 4 ? statusJson(outcome) : statusText(outcome);
    if (text !== '') this.#channels.send(Channel.ERROR, Buffer.from(text));
    this.#channels.close();
  }
}
