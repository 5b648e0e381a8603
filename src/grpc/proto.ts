import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import Long from 'long';
import protobuf from 'protobufjs/light.js';
import { descriptor as containerd } from '../gen/containerd.js';
import { descriptor as cri } from '../gen/descriptor.js';
import { type Encode, encoderOf } from './encoding.js';

/** 64-bit integers stay strings: CRI times are nanoseconds beyond 2^53. The types in src/gen are made for these options. */
const OPTIONS: protobuf.IConversionOptions = { longs: String, enums: String, defaults: true, oneofs: true };

// protobufjs looks for it at run time, finds none in a bundled program, and makes doubles of 64-bit integers then.
protobuf.util.Long = Long;
protobuf.configure();

export interface CriServices {
  runtime: ServiceDefinition;
  image: ServiceDefinition;
}

/** The CRI v1 service definitions, of the proto as published. */
export const loadCri = (): CriServices => {
  const root = rootOf(cri);
  return {
    runtime: define(root.lookupService('runtime.v1.RuntimeService')),
    image: define(root.lookupService('runtime.v1.ImageService')),
  };
};

/** What is served of containerd's own services, by their names. */
export const loadContainerd = (): Record<'containers' | 'tasks' | 'version', ServiceDefinition> => {
  const root = rootOf(containerd);
  return {
    containers: define(root.lookupService('containerd.services.containers.v1.Containers')),
    tasks: define(root.lookupService('containerd.services.tasks.v1.Tasks')),
    version: define(root.lookupService('containerd.services.version.v1.Version')),
  };
};

const rootOf = (descriptor: string): protobuf.Root => {
  const root = protobuf.Root.fromJSON(JSON.parse(descriptor) as protobuf.INamespace);
  root.resolveAll();
  return root;
};

const define = (service: protobuf.Service): ServiceDefinition =>
  Object.fromEntries(service.methodsArray.map((method) => [method.name, defineMethod(service, method)]));

const defineMethod = (service: protobuf.Service, method: protobuf.Method): MethodDefinition<object, object> => {
  const [request, response] = [method.resolvedRequestType, method.resolvedResponseType];
  if (!request || !response) throw new Error(`unresolved types: RPC ${method.name} of the CRI descriptor`);
  return {
    path: `/${service.fullName.slice(1)}/${method.name}`,
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    requestSerialize: lazily(() => encoderOf(request)),
    requestDeserialize: (bytes) => request.toObject(request.decode(bytes), OPTIONS),
    responseSerialize: lazily(() => encoderOf(response)),
    responseDeserialize: (bytes) => response.toObject(response.decode(bytes), OPTIONS),
  };
};

/** protobufjs compiles a type at its first use; a start must not pay for the types that nobody uses. */
const lazily = (make: () => Encode): Encode => {
  let encode: Encode | undefined;
  const all = (message: object): Buffer => (encode ??= make())(message);
  return Object.assign(all, { ahead: async (message: object) => (encode ??= make()).ahead?.(message) });
};
