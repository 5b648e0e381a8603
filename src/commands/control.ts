import { request } from 'node:http';
import type { Readable } from 'node:stream';
import type { Config } from '../base/config.js';

/** An error that the daemon answered, in its words. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

/** Calls the daemon's control socket; the body is JSON, or a stream that is sent as it comes. */
export const control = <Reply>(
  { control: { socket } }: Pick<Config, 'control'>,
  path: string,
  body: object | Readable,
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, path, method: 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('error', reject).once('end', () => {
        const answer = JSON.parse(text) as Reply & { message?: string };
        if (response.statusCode === 200) resolve(answer);
        else reject(new ControlError(answer.message ?? `status ${response.statusCode}`));
      });
    });
    call.once('error', (error) => reject(new ControlError(`${error.message}: is the daemon running?`)));
    if ('pipe' in body) {
      body.once('error', (error) => call.destroy(error));
      body.pipe(call);
    } else call.end(JSON.stringify(body));
  });
