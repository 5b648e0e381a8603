import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

/** A stream of bytes in the binary messages of a WebSocket; where one message ends and another begins means nothing. */
export const tunnelThrough = (socket: WebSocket): Duplex => {
  let message = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => socket.resume(),
    // What is written together goes as one message, each in the same buffer: there is never more than one on its way.
    writev: (chunks, callback) => {
      if (socket.readyState !== socket.OPEN) return callback();
      const pieces = chunks.map(({ chunk }) => chunk as Buffer);
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (message.length < length) message = Buffer.allocUnsafeSlow(length);
      let at = 0;
      for (const piece of pieces) at += piece.copy(message, at);
      socket.send(message.subarray(0, length), () => callback());
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
