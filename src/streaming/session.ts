import type { Runtime } from '../lifecycle/runtime.js';
import { type AttachStreamRequest, serveAttach } from './attach.js';
import type { ClientStreams } from './client-streams.js';
import { type ExecStreamRequest, serveExec } from './exec.js';
import { type PortForwardStreamRequest, servePortForward } from './port-forward.js';
import { servePortForwardWebSocket } from './port-forward-websocket.js';
import type { Session } from './server.js';
import { acceptSpdyClient } from './spdy-client.js';
import { tunnelThrough } from './tunnel.js';
import { WebSocketClient } from './websocket-client.js';

/** Serves one client to its end. */
export const serveSession = async (runtime: Runtime, session: Session): Promise<void> => {
  const idleMs = runtime.config.streaming.idle_timeout * 1000;
  const { request } = session;
  if (request.kind === 'portforward') return forward(runtime, session, request, idleMs);
  const client = await accept(session, request, idleMs);
  return request.kind === 'exec' ? serveExec(runtime, request, client) : serveAttach(runtime, request, client);
};

const accept = async (
  session: Session,
  request: ExecStreamRequest | AttachStreamRequest,
  idleMs: number,
): Promise<ClientStreams> => {
  if ('transport' in session)
    return acceptSpdyClient(session.transport, { ...request, version: session.agreement.version, idleMs });
  const { agreement, socket } = session;
  if (agreement.transport === 'tunnel') throw new Error('standard streams are not tunnelled');
  return new WebSocketClient(socket, { ...request, ...agreement, idleMs });
};

const forward = (
  runtime: Runtime,
  session: Session,
  request: PortForwardStreamRequest,
  idleMs: number,
): Promise<void> => {
  if ('transport' in session) return servePortForward(runtime, request, session.transport, idleMs);
  const { agreement, socket } = session;
  if (agreement.transport === 'tunnel') return servePortForward(runtime, request, tunnelThrough(socket), idleMs);
  return servePortForwardWebSocket(runtime, request, socket, { ...agreement, idleMs });
};
