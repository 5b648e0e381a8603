import type { WebSocket } from 'ws';
import { dialPod } from '../lifecycle/sandbox-dial.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { type PortForwardStreamRequest, splice } from './port-forward.js';
import { type ChannelOptions, WebSocketChannels } from './websocket-channels.js';

/** More do not fit into a channel's byte. */
const PORTS_MAX = 127;

/**
 * The older way, without SPDY: one connection to each port of the request, in two channels, data and error; each begins with the port as
 * a 16-bit little-endian number. Closes when all connections have ended.
 */
export const servePortForwardWebSocket = async (
  runtime: Pick<Runtime, 'sandboxes' | 'supervisors'>,
  { sandboxId, ports }: PortForwardStreamRequest,
  socket: WebSocket,
  options: ChannelOptions,
): Promise<void> => {
  const channels = new WebSocketChannels(socket, options);
  const forwarded = ports.slice(0, PORTS_MAX).map(async (port, index) => {
    const [data, error] = [2 * index, 2 * index + 1];
    const stream = channels.duplex(data);
    const name = Buffer.alloc(2);
    name.writeUInt16LE(port);
    channels.send(data, name);
    channels.send(error, name);
    try {
      await splice(stream, await dialPod(runtime, runtime.sandboxes.require(sandboxId), port));
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      channels.send(error, Buffer.from(`error forwarding port ${port} to pod ${sandboxId}, uid : ${message}`));
      stream.destroy();
    }
  });
  await Promise.all(forwarded);
  channels.close();
};
