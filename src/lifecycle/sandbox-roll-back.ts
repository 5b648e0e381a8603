import type { Runtime } from './runtime.js';
import { forgetSandbox, releaseSandbox } from './sandbox-end.js';

type Parts = Parameters<typeof releaseSandbox>[0] &
  Parameters<typeof forgetSandbox>[0] &
  Pick<Runtime, 'log' | 'turns'>;

/**
 * Ends a sandbox that an earlier daemon was making: nobody was told of it, and whoever asks for it again gets a new one after this. What
 * cannot be given back is seen from now on, NOTREADY: the kubelet's StopPodSandbox tries again.
 */
export const rollBackSandbox = (parts: Parts, id: string): Promise<void> =>
  parts.turns.run(id, async () => {
    const sandbox = parts.sandboxes.get(id);
    if (sandbox?.stage !== 'creating') return;
    try {
      await releaseSandbox(parts, sandbox);
      await forgetSandbox(parts, sandbox);
    } catch (error) {
      parts.sandboxes.learn(id, { stage: 'stopping' });
      throw error;
    }
    parts.log.info({ sandbox: id }, 'rolled back a sandbox that was being made');
  });
