import * as z from 'zod';
import { absolutePath as path } from './absolute-path.js';

/** Plugins of the Node Resource Interface. */
export const NriSchema = z
  .strictObject({
    /** No plugins of the Node Resource Interface at all. */
    disable: z.boolean().default(false),
    /** Where plugins connect. */
    socket_path: path.default('/var/run/nri/nri.sock'),
    /** Only plugins that are started here take part. */
    disable_connections: z.boolean().default(false),
    /** Programs named NN-name that are started with the daemon. */
    plugin_path: path.default('/opt/nri/plugins'),
    /** Their configurations: NN-name.conf or name.conf. */
    plugin_config_path: path.default('/etc/nri/conf.d'),
    /** Seconds for a plugin to say who it is, and to learn what there is. */
    plugin_registration_timeout: z.number().min(0.1).max(600).default(5),
    /** Seconds for an answer. A plugin that takes longer is left out from then on. */
    plugin_request_timeout: z.number().min(0.1).max(600).default(2),
    /** What plugins may not do. */
    default_validator: z
      .strictObject({
        enable: z.boolean().default(false),
        reject_oci_hook_adjustment: z.boolean().default(false),
        reject_runtime_default_seccomp_adjustment: z.boolean().default(false),
        reject_unconfined_seccomp_adjustment: z.boolean().default(false),
        reject_custom_seccomp_adjustment: z.boolean().default(false),
        reject_namespace_adjustment: z.boolean().default(false),
        reject_sysctl_adjustment: z.boolean().default(false),
        /** Without them no container is made. */
        required_plugins: z.array(z.string()).default([]),
        /** Annotation of pods that are made all the same. */
        tolerate_missing_plugins_annotation: z.string().default(''),
      })
      .prefault({}),
  })
  .prefault({});
