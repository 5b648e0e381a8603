import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ProtoGrpcType } from '../gen/api.js';

/** 64-bit integers stay strings: CRI times are nanoseconds beyond 2^53. */
const OPTIONS = { longs: String, enums: String, defaults: true, oneofs: true } as const;

const API = fileURLToPath(new URL('../../../proto/cri/v1/api.proto', import.meta.url));

export interface CriServices {
  runtime: ServiceDefinition;
  image: ServiceDefinition;
}

/** The CRI v1 service definitions, read from the proto as published. */
export const loadCri = (): CriServices => {
  const loaded = loadPackageDefinition(loadSync(API, OPTIONS)) as unknown as ProtoGrpcType;
  return { runtime: loaded.runtime.v1.RuntimeService.service, image: loaded.runtime.v1.ImageService.service };
};
