import { invalidArgument } from '../../base/errors.js';
import type { ContainerConfig__Output } from '../../gen/runtime/v1/ContainerConfig.js';
import { kindOf } from './names.js';

const ANNOTATION = 'cdi.k8s.io/';

/**
 * The devices that a container asks for, each once: by the field, and by annotations as device plugins of older kubelets write them. Only
 * the container's annotations count, which are the kubelet's own: a pod's are whatever its author likes (CVE-2024-3154).
 * @throws INVALID_ARGUMENT for what is no name of a device.
 */
export const requestedDevices = ({
  CDIDevices,
  annotations,
}: Pick<ContainerConfig__Output, 'CDIDevices' | 'annotations'>): string[] => {
  const fromField = CDIDevices.map(({ name }) => named(name, 'CDI_devices'));
  const fromAnnotations = Object.entries(annotations)
    .filter(([key]) => key.startsWith(ANNOTATION))
    .flatMap(([key, value]) => value.split(',').map((name) => named(name, `annotation ${key}`)));
  return [...new Set([...fromField, ...fromAnnotations])];
};

const named = (name: string, where: string): string => {
  if (kindOf(name) === undefined)
    throw invalidArgument(
      `not the name of a CDI device: ${JSON.stringify(name.slice(0, 300))} in ${where}; write vendor.com/class=device`,
    );
  return name;
};
