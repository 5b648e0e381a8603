import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

/** Bytes that may be on their way to the client before a writer waits. */
const UNSENT_MAX = 256 << 10;

/** A stream of bytes in the binary messages of a WebSocket; where one message ends and another begins means nothing. */
export const tunnelThrough = (socket: WebSocket): Duplex => {
  const stream = new Duplex({
    read: () => socket.resume(),
    // What is written together goes as one message.
    writev: (chunks, callback) => {
      if (socket.readyState !== socket.OPEN) return callback();
      const waits = socket.bufferedAmount > UNSENT_MAX;
      socket.send(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), () => waits && callback());
      if (!waits) callback();
    },
    destroy: (error, callback) => {
      socket.close(1000);
      socket.resume();
      callback(error);
    },
  });
  socket.on('message', (data: RawData) => {
    if (!stream.destroyed && !stream.push(data)) socket.pause();
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    if (!stream.destroyed) stream.push(null);
    stream.destroy();
  });
  return stream;
};
