import type { MetricDescriptor } from '../gen/runtime/v1/MetricDescriptor.js';
import type { MetricType } from '../gen/runtime/v1/MetricType.js';

/**
 * The labels that cAdvisor gives to every series of a container, in alphabetical order; of a pod's own series, some are empty. `name` is the
 * container's ID, as cAdvisor has it from containerd; containerd and CRI-O have the label in their own series of the CRI, too.
 */
const BASE_LABELS = ['container', 'id', 'image', 'name', 'namespace', 'pod'];

interface Description {
  readonly type: keyof typeof MetricType;
  readonly help: string;
  /** Keys of the labels that follow the base ones. */
  readonly labels: readonly string[];
}

const counter = (help: string, ...labels: string[]): Description => ({ type: 'COUNTER', help, labels });
const gauge = (help: string, ...labels: string[]): Description => ({ type: 'GAUGE', help, labels });

/** Names and meanings are cAdvisor's: dashboards and alerts of the field are written for them. Values are whole numbers in the CRI. */
export const METRICS = {
  container_blkio_device_usage_total: counter(
    'Bytes moved to and from block devices',
    'device',
    'major',
    'minor',
    'operation',
  ),
  container_cpu_cfs_periods_total: counter('Elapsed enforcement periods of the CPU quota'),
  container_cpu_cfs_throttled_periods_total: counter('Enforcement periods in which the CPU quota was used up'),
  container_cpu_cfs_throttled_seconds_total: counter('Seconds for which the CPU quota held tasks back'),
  container_cpu_system_seconds_total: counter('Seconds of CPU used in the kernel'),
  container_cpu_usage_seconds_total: counter('Seconds of CPU used', 'cpu'),
  container_cpu_user_seconds_total: counter('Seconds of CPU used outside the kernel'),
  container_file_descriptors: gauge('Open file descriptors of all processes'),
  container_fs_inodes_free: gauge('Free inodes of the filesystem', 'device'),
  container_fs_inodes_total: gauge('Inodes of the filesystem', 'device'),
  container_fs_limit_bytes: gauge('Bytes that the filesystem holds', 'device'),
  container_fs_reads_bytes_total: counter('Bytes read', 'device'),
  container_fs_reads_total: counter('Completed reads', 'device'),
  container_fs_usage_bytes: gauge('Bytes that the writable layer takes', 'device'),
  container_fs_writes_bytes_total: counter('Bytes written', 'device'),
  container_fs_writes_total: counter('Completed writes', 'device'),
  container_hugetlb_max_usage_bytes: gauge('Most bytes of huge pages used so far', 'pagesize'),
  container_hugetlb_usage_bytes: gauge('Bytes of huge pages in use', 'pagesize'),
  container_last_seen: gauge('When it was last seen, in seconds since the epoch'),
  container_memory_cache: gauge('Bytes of page cache'),
  container_memory_failcnt: counter('Times that memory use ran into its limit'),
  container_memory_failures_total: counter('Page faults', 'failure_type', 'scope'),
  container_memory_kernel_usage: gauge('Bytes of kernel memory'),
  container_memory_mapped_file: gauge('Bytes of memory-mapped files'),
  container_memory_max_usage_bytes: gauge('Most bytes of memory used so far'),
  container_memory_rss: gauge('Bytes of anonymous memory'),
  container_memory_swap: gauge('Bytes of swap in use'),
  container_memory_usage_bytes: gauge('Bytes of memory in use, whenever they were last used'),
  container_memory_working_set_bytes: gauge('Bytes of memory in use, without the page cache that was not used lately'),
  container_network_receive_bytes_total: counter('Bytes received', 'interface'),
  container_network_receive_errors_total: counter('Errors while receiving', 'interface'),
  container_network_receive_packets_dropped_total: counter('Packets dropped while receiving', 'interface'),
  container_network_receive_packets_total: counter('Packets received', 'interface'),
  container_network_transmit_bytes_total: counter('Bytes sent', 'interface'),
  container_network_transmit_errors_total: counter('Errors while sending', 'interface'),
  container_network_transmit_packets_dropped_total: counter('Packets dropped while sending', 'interface'),
  container_network_transmit_packets_total: counter('Packets sent', 'interface'),
  container_oom_events_total: counter('Processes killed because memory ran out'),
  container_pressure_cpu_stalled_seconds_total: counter('Seconds in which all tasks waited for CPU'),
  container_pressure_cpu_waiting_seconds_total: counter('Seconds in which some task waited for CPU'),
  container_pressure_io_stalled_seconds_total: counter('Seconds in which all tasks waited for I/O'),
  container_pressure_io_waiting_seconds_total: counter('Seconds in which some task waited for I/O'),
  container_pressure_memory_stalled_seconds_total: counter('Seconds in which all tasks waited for memory'),
  container_pressure_memory_waiting_seconds_total: counter('Seconds in which some task waited for memory'),
  container_processes: gauge('Processes'),
  container_sockets: gauge('Open sockets of all processes'),
  container_spec_cpu_period: gauge('Enforcement period of the CPU quota in microseconds'),
  container_spec_cpu_quota: gauge('CPU quota in microseconds a period'),
  container_spec_cpu_shares: gauge('Share of the CPU when it is short'),
  container_spec_memory_limit_bytes: gauge('Memory limit; 0 is none'),
  container_spec_memory_reservation_limit_bytes: gauge('Memory that is reclaimed last; 0 is none'),
  container_spec_memory_swap_limit_bytes: gauge('Swap limit; 0 is none'),
  container_start_time_seconds: gauge('When it was started, in seconds since the epoch'),
  container_threads: gauge('Threads'),
  container_threads_max: gauge('Most threads allowed; 0 is any number'),
  container_ulimits_soft: gauge('Soft limits of the first process', 'ulimit'),
} as const satisfies Record<string, Description>;

export type MetricName = keyof typeof METRICS;

/** One value and its own labels, in the order of the description. */
export interface Sample {
  readonly name: MetricName;
  readonly value: number | bigint;
  readonly labels?: readonly string[];
}

export const DESCRIPTORS: readonly MetricDescriptor[] = Object.entries(METRICS).map(([name, { help, labels }]) => ({
  name,
  help,
  labelKeys: [...BASE_LABELS, ...labels],
}));
