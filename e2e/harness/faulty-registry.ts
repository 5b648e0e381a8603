import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Image } from './image.js';

/** What a registry would answer, for a fault to spoil. */
export interface Content {
  kind: 'manifest' | 'blob';
  digest: string;
  mediaType: string;
  data: Buffer;
}

/** Answers the request itself and returns true, or leaves it to be answered properly. `attempt` counts requests of this path from 1. */
export type Fault = (
  content: Content | undefined,
  response: ServerResponse,
  request: IncomingMessage,
  attempt: number,
) => boolean;

export interface FaultyRegistry {
  host: string;
  url: string;
  caFile: undefined;
  /** Offers the image and answers its reference. */
  serve: (image: Image, repository: string) => string;
  /** What goes wrong from now on. */
  fault: Fault;
  stop: () => Promise<void>;
}

/** A registry in this process whose answers a test can spoil: statuses, cuts, wrong content, endless bodies. */
export const startFaultyRegistry = async (): Promise<FaultyRegistry> => {
  const contents = new Map<string, Content>();
  const attempts = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    attempts.set(path, (attempts.get(path) ?? 0) + 1);
    const content = contents.get(path);
    if (registry.fault(content, response, request, attempts.get(path) ?? 1)) return;
    if (path === '/v2/') response.end('{}');
    else if (content) answer(content, request, response);
    else
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const put = (image: Image, base: string, name: string): void => {
    const manifest: Content = {
      kind: 'manifest',
      digest: image.digest,
      mediaType: image.mediaType,
      data: image.manifest,
    };
    for (const key of [name, image.digest]) contents.set(`${base}/manifests/${key}`, manifest);
    for (const { digest, data } of image.blobs)
      contents.set(`${base}/blobs/${digest}`, { kind: 'blob', digest, mediaType: 'application/octet-stream', data });
    for (const child of image.children) put(child, base, child.digest);
  };
  const registry: FaultyRegistry = {
    host,
    url: `http://${host}`,
    caFile: undefined,
    serve: (image, repository) => {
      put(image, `/v2/${repository}`, '1');
      return `${host}/${repository}:1`;
    },
    fault: () => false,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return registry;
};

const answer = ({ data, digest, mediaType }: Content, request: IncomingMessage, response: ServerResponse): void => {
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const partial = from > 0 ? { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` } : {};
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    'content-length': data.length - from,
    ...partial,
  };
  response.writeHead(from > 0 ? 206 : 200, headers);
  response.end(request.method === 'HEAD' ? undefined : data.subarray(from));
};
