import type { OciLimits } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';

/** Somebody who takes part in the life of pods and containers beyond adjusting them. What has happened it learns from the stores. */
export interface LifecycleExtension {
  /** @throws RuntimeError when the pod must not run; it is taken back then. */
  runPod(sandbox: Sandbox): Promise<void>;
  /** Its containers have ended, its network is still there. */
  stopPod(sandbox: Sandbox): Promise<void>;
  /** @throws RuntimeError when it must not be changed. `changed` is what it will be. */
  updatePod(changed: Sandbox, overhead: OciLimits, resources: OciLimits): Promise<void>;
  podUpdated(sandbox: Sandbox): void;
  /** A container that had been adjusted is not made after all. */
  abandonContainer(id: string): void;
  /** @throws RuntimeError when it must not start. */
  startContainer(container: Container): Promise<void>;
  /** What is to be changed, as whoever may has changed that. @throws RuntimeError when it must not be changed. */
  updateContainer(container: Container, change: OciLimits): Promise<OciLimits>;
  containerUpdated(container: Container): void;
}
