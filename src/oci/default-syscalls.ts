import type { CapabilityName } from './capabilities.js';

/**
 * System calls of the default seccomp profile, by what they are for. A call that is in no list fails with EPERM; one that is newer than
 * this table fails with ENOSYS, so that C libraries fall back to the older one.
 *
 * Left out on purpose: io_uring (CVE-2022-29582 and many more), userfaultfd, keyrings (CVE-2016-0728), kexec, swap, module loading,
 * lsm_set_self_attr, nfsservctl and everything that a capability below unlocks.
 */
export const ALLOWED: readonly string[] = `
  access chdir chmod chown chown32 creat dup dup2 dup3 faccessat faccessat2 fallocate fchdir fchmod fchmodat fchmodat2
  fchown fchown32 fchownat fcntl fcntl64 flock fstat fstat64 fstatat64 fstatfs fstatfs64 ftruncate ftruncate64 futimesat getcwd getdents
  getdents64 ioctl lchown lchown32 link linkat lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2
  oldfstat oldlstat oldstat readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat
  truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes file_getattr file_setattr statmount listmount

  _llseek close close_range copy_file_range fadvise64 fadvise64_64 arm_fadvise64_64 fdatasync fsync lseek pread64 preadv preadv2
  pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range sync_file_range2 arm_sync_file_range
  syncfs tee vmsplice write writev io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit cachestat

  fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr lsetxattr
  removexattr removexattrat setxattr setxattrat

  _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch pipe pipe2 poll ppoll ppoll_time64 pselect6
  pselect6_time64 select signalfd signalfd4

  brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync
  munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages

  capget capset execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid
  getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32
  ioprio_get ioprio_set kill pidfd_open pidfd_send_signal prctl prlimit64 rseq seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid
  setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid
  setreuid32 setrlimit setsid setuid setuid32 tgkill tkill ugetrlimit vfork wait4 waitid waitpid
  process_vm_readv process_vm_writev ptrace

  get_robust_list set_robust_list futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_thread_area set_thread_area
  set_tid_address getcpu sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
  sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
  sched_setscheduler sched_yield restart_syscall

  pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
  rt_tgsigqueueinfo sigaction sigaltstack signal sigpending sigprocmask sigreturn sigsuspend

  adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime
  timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times

  ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget
  msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget

  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg
  sendmsg sendto setsockopt shutdown

  getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules sysinfo uname
`
  .trim()
  .split(/\s+/);

/** Calls that only make sense on one architecture. */
export const ALLOWED_ON: Readonly<Record<'x64' | 'arm64', readonly string[]>> = {
  x64: ['arch_prctl', 'modify_ldt'],
  arm64: ['breakpoint', 'cacheflush', 'set_tls'],
};

/** Calls that come with a capability in the bounding set: the kernel checks the capability again, the filter is no obstacle then. */
export const ALLOWED_WITH: Readonly<Partial<Record<CapabilityName, readonly string[]>>> = {
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'], // without it this call is the "Shocker" escape of 2014
  CAP_SYS_ADMIN: [
    ...['bpf', 'clone', 'clone3', 'fanotify_init', 'lookup_dcookie', 'perf_event_open', 'quotactl', 'quotactl_fd'],
    ...[
      'fsconfig',
      'fsmount',
      'fsopen',
      'fspick',
      'mount',
      'mount_setattr',
      'move_mount',
      'open_tree',
      'open_tree_attr',
    ],
    ...['setdomainname', 'sethostname', 'setns', 'syslog', 'umount', 'umount2', 'unshare'],
  ],
  CAP_SYS_BOOT: ['reboot'],
  CAP_SYS_CHROOT: ['chroot'],
  CAP_SYS_MODULE: ['delete_module', 'finit_module', 'init_module'],
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: ['kcmp', 'pidfd_getfd', 'process_madvise'],
  CAP_SYS_RAWIO: ['ioperm', 'iopl'],
  CAP_SYS_TIME: ['clock_settime', 'clock_settime64', 'settimeofday', 'stime'],
  CAP_SYS_TTY_CONFIG: ['vhangup'],
  CAP_SYS_NICE: ['get_mempolicy', 'mbind', 'set_mempolicy', 'set_mempolicy_home_node'],
  CAP_SYSLOG: ['syslog'],
  CAP_BPF: ['bpf'],
  CAP_PERFMON: ['perf_event_open'],
};
