import Long from 'long';
import protobuf from 'protobufjs/light.js';
import { descriptor } from '../../gen/nri.js';
import type { ConfigureRequest } from '../../gen/nri/nri/pkg/api/v1alpha1/ConfigureRequest.js';
import type { ConfigureResponse__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ConfigureResponse.js';
import type { Container } from '../../gen/nri/nri/pkg/api/v1alpha1/Container.js';
import type { CreateContainerResponse__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/CreateContainerResponse.js';
import type { LinuxResources } from '../../gen/nri/nri/pkg/api/v1alpha1/LinuxResources.js';
import type { PodSandbox } from '../../gen/nri/nri/pkg/api/v1alpha1/PodSandbox.js';
import type { RegisterPluginRequest__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/RegisterPluginRequest.js';
import type { StateChangeEvent } from '../../gen/nri/nri/pkg/api/v1alpha1/StateChangeEvent.js';
import type { StopContainerResponse__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/StopContainerResponse.js';
import type { SynchronizeRequest } from '../../gen/nri/nri/pkg/api/v1alpha1/SynchronizeRequest.js';
import type { SynchronizeResponse__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/SynchronizeResponse.js';
import type { UpdateContainerResponse__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/UpdateContainerResponse.js';
import type { UpdateContainersRequest__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/UpdateContainersRequest.js';
import type { UpdateContainersResponse } from '../../gen/nri/nri/pkg/api/v1alpha1/UpdateContainersResponse.js';
import type { ValidateContainerAdjustmentRequest } from '../../gen/nri/nri/pkg/api/v1alpha1/ValidateContainerAdjustmentRequest.js';
import type { ValidateContainerAdjustmentResponse__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ValidateContainerAdjustmentResponse.js';
import type { Request as TtrpcRequest, Request__Output as TtrpcRequest__Output } from '../../gen/nri/ttrpc/Request.js';
import type {
  Response as TtrpcResponse,
  Response__Output as TtrpcResponse__Output,
} from '../../gen/nri/ttrpc/Response.js';

/** What a plugin is told of a pod or a container, with what goes beyond it. */
export interface Told {
  pod?: PodSandbox;
  container?: Container;
  linuxResources?: LinuxResources;
  overheadLinuxResources?: LinuxResources;
}

/** Methods of the service Plugin: what is sent, what comes back. */
export interface PluginMethods {
  Configure: [ConfigureRequest, ConfigureResponse__Output];
  Synchronize: [SynchronizeRequest, SynchronizeResponse__Output];
  Shutdown: [object, object];
  RunPodSandbox: [Told, object];
  UpdatePodSandbox: [Told, object];
  PostUpdatePodSandbox: [Told, object];
  StopPodSandbox: [Told, object];
  RemovePodSandbox: [Told, object];
  CreateContainer: [Told, CreateContainerResponse__Output];
  PostCreateContainer: [Told, object];
  StartContainer: [Told, object];
  PostStartContainer: [Told, object];
  UpdateContainer: [Told, UpdateContainerResponse__Output];
  PostUpdateContainer: [Told, object];
  StopContainer: [Told, StopContainerResponse__Output];
  RemoveContainer: [Told, object];
  ValidateContainerAdjustment: [ValidateContainerAdjustmentRequest, ValidateContainerAdjustmentResponse__Output];
  StateChange: [StateChangeEvent, object];
}

interface Written {
  'ttrpc.Request': TtrpcRequest;
  'ttrpc.Response': TtrpcResponse;
  UpdateContainersResponse: UpdateContainersResponse;
}

interface Read {
  'ttrpc.Request': TtrpcRequest__Output;
  'ttrpc.Response': TtrpcResponse__Output;
  RegisterPluginRequest: RegisterPluginRequest__Output;
  UpdateContainersRequest: UpdateContainersRequest__Output;
}

const PACKAGE = 'nri.pkg.api.v1alpha1';
export const PLUGIN = `${PACKAGE}.Plugin`;
export const RUNTIME = `${PACKAGE}.Runtime`;

const OPTIONS: protobuf.IConversionOptions = { longs: String, enums: String, defaults: true, oneofs: true };

let loaded: protobuf.Root | undefined;

/** Once the first plugin is there: a node without any pays nothing. */
const root = (): protobuf.Root => {
  if (loaded) return loaded;
  // protobufjs finds none by itself in a bundled program, and makes doubles of 64-bit integers then.
  protobuf.util.Long = Long;
  protobuf.configure();
  loaded = protobuf.Root.fromJSON(JSON.parse(descriptor) as protobuf.INamespace);
  loaded.resolveAll();
  return loaded;
};

const typeOf = (name: string): protobuf.Type => root().lookupType(name.includes('.') ? name : `${PACKAGE}.${name}`);

const write = (type: protobuf.Type, message: object): Buffer => {
  const bytes = type.encode(type.fromObject(message)).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

const read = (type: protobuf.Type, bytes: Buffer): object => type.toObject(type.decode(bytes), OPTIONS);

export const encode = <N extends keyof Written>(name: N, message: Written[N]): Buffer => write(typeOf(name), message);

/** @throws Error for what is no such message. */
export const decode = <N extends keyof Read>(name: N, bytes: Buffer): Read[N] => read(typeOf(name), bytes) as Read[N];

/** A method of the plugin as ttrpc carries it. */
export const methodCodec = <M extends keyof PluginMethods>(
  name: M,
): { encode: (request: PluginMethods[M][0]) => Buffer; decode: (bytes: Buffer) => PluginMethods[M][1] } => {
  const { resolvedRequestType, resolvedResponseType } = root().lookupService(PLUGIN).methods[name] ?? {};
  if (!resolvedRequestType || !resolvedResponseType) throw new Error(`unresolved types: ${PLUGIN}.${name}`);
  return {
    encode: (request) => write(resolvedRequestType, request),
    decode: (bytes) => read(resolvedResponseType, bytes),
  };
};
