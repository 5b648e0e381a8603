import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { deadlineExceeded, invalidArgument, notFound, resourceExhausted } from '../base/errors.js';
import { makeRoom } from '../base/unix-socket.js';
import { within } from '../base/within.js';
import type { ControlCall, ControlCalls, ControlRequest } from '../control/control-call.js';
import { toStatus } from '../grpc/call.js';

const MAX_JSON = 64 << 10;
const JSON_MS = 10_000;
/** Time for the last answers to reach their clients. */
const FLUSH_MS = 500;

/** HTTP and JSON on a unix socket that is root's alone: who may ask here may do anything on this node. */
export const listenControl = async (socket: string, calls: ControlCalls, log: Logger): Promise<Server> => {
  await makeRoom(socket);
  // An archive takes as long as it takes; one that stalls is ended where it is read.
  const server = createServer({ requestTimeout: 0, keepAlive: false }, (request, response) => {
    void answer(calls, request, response, log);
  });
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve).once('error', reject);
  });
  // The mode must hold from the first moment. The socket is bound within listen().
  const previous = process.umask(0o177);
  try {
    server.listen(socket);
  } finally {
    process.umask(previous);
  }
  await listening;
  return server;
};

export const closeControl = async (server: Server): Promise<void> => {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  await within(FLUSH_MS, closed).catch(() => server.closeAllConnections());
};

const answer = async (
  calls: ControlCalls,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> => {
  const url = new URL(request.url ?? '/', 'http://jangada');
  const call = `${request.method} ${url.pathname}`;
  const send = (code: number, body: object) => {
    response
      .writeHead(code, { 'content-type': 'application/json', connection: 'close' })
      .end(`${JSON.stringify(body)}\n`);
    // Who still sends is read to the end: otherwise the answer could be lost with the connection.
    request.resume();
  };
  try {
    send(200, await find(calls, call)(requestOf(request, url)));
    log.debug({ call }, 'done');
  } catch (error) {
    const { code, details } = toStatus(error);
    const unexpected = code === status.INTERNAL || code === status.UNKNOWN;
    log[unexpected ? 'error' : 'info']({ call, code: status[code], err: unexpected ? error : undefined }, details);
    send(HTTP[code] ?? 500, { code: status[code], message: details });
  }
};

/** As google/rpc/code.proto maps them. */
const HTTP: Partial<Record<status, number>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.FAILED_PRECONDITION]: 400,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.UNAVAILABLE]: 503,
  [status.DEADLINE_EXCEEDED]: 504,
};

const find = (calls: ControlCalls, call: string): ControlCall => {
  if (Object.hasOwn(calls, call)) return calls[call] as ControlCall;
  throw notFound(`no such call: ${call.slice(0, 200)}; this daemon knows ${Object.keys(calls).join(', ')}`);
};

const requestOf = (request: IncomingMessage, url: URL): ControlRequest => ({
  query: url.searchParams,
  body: request,
  json: () =>
    within(JSON_MS, readJson(request), () => deadlineExceeded('the request does not come to its end: ask again')),
});

const readJson = async (request: AsyncIterable<Buffer>): Promise<Record<string, unknown>> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_JSON) throw resourceExhausted(`larger than ${MAX_JSON} bytes: request`);
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw invalidArgument('not JSON: the body of the request', error);
  }
  throw invalidArgument('not a JSON object: the body of the request');
};
