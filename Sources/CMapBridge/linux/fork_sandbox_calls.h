/* fork_sandbox_calls.h - MAPE_SANDBOX_COMPUTE: every system call of Linux, and whether a worker may make it
 *
 * Included by fork_sandbox.c alone. `lines` is what the filter refuses; below it stand the calls that are allowed, with the
 * reason. Tests/checks/sandbox_calls.py holds both against the C library's list of calls: none is forgotten.
 *
 * A call is allowed when it reaches no further than the process itself: its memory, threads, descriptors, signals, folder, mask and
 * rights; when it only reads or tells; or when it can only take what has limits of its own (memory, time, locked pages).
 * A worker shares with others:
 *
 *   processes      whoever is named by an id. Own ids are 0 and the worker's process id; ids of its own threads cannot be told from
 *                  those of other processes, so where threads need them (sched_setaffinity) the call is allowed for all.
 *   the user's     a worker can open any file that the user may read, for reading alone. Locks, leases and watches on it would reach
 *   files          those who write it.
 *   standard       0, 1 and 2. These are open files of the host: their position, their flags and what is in them are the host's, and
 *   files          perhaps a terminal's, a pipe's or a connection's. They can be written to, as a pipe is, looked at, closed and
 *                  replaced. They cannot get another number (dup, SCM_RIGHTS), since by its number alone the filter knows them; all
 *                  other descriptors the worker has opened itself (the bells are closed to all but writing by what they are).
 */
#ifndef FORK_SANDBOX_CALLS_H
#define FORK_SANDBOX_CALLS_H

#include <fcntl.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Calls up to mseal(2), Linux 6.10, were looked at; from 424 on numbers are the same on every machine. */
#define LAST_KNOWN                 462
#define NR_clone3                  435
#define NR_openat2                 437
#define NR_pidfd_getfd             438
#define NR_process_madvise         440
#define NR_mount_setattr           442
#define NR_quotactl_fd             443
#define NR_landlock_create_ruleset 444
#define NR_landlock_restrict_self  446
#define NR_process_mrelease        448
#define NR_fchmodat2               452

/* How a call is decided. */
enum rule {
    REFUSE,       /* Always, with `error`. */
    NO_BITS,      /* Refused when the argument has one of the bits in `value`. */
    ALL_BITS,     /* Refused unless it has them all. */
    ONLY_SELF,    /* Refused unless it is this process's id. */
    SELF_OR_ZERO, /* Refused unless it is that, or 0. */
    NOT_VALUE,    /* Refused when it is `value`. */
    ONLY_NULL,    /* Refused unless it is 0 in all its 64 bits. */
    ONLY_VALUE,   /* Refused unless it is `value`. */
    OWN_FILE,     /* Refused when it is the number of a standard file. */
    ONE_OF, /* Refused unless it is among a call's `harmless` commands, or, for a file of its own, among its `own` ones. */
    OWN_MAP,    /* mmap: of a file of its own, or of none. */
    OWN_SEEK,   /* lseek: the same; of others the place can be asked. */
    OWN_DUP,    /* dup2, dup3: the same; a standard file may get the number of another. */
    STREAM_PAIR /* socketpair(AF_UNIX, SOCK_STREAM | flags). */
};

struct line {
    int call;
    uint8_t rule, argument, error;
    uint32_t value;
};

/* Commands. A standard file is an open file of the host: its flags are the host's. */
struct commands {
    int call;
    uint8_t harmless_count, own_count;
    uint32_t harmless[16], own[8];
};

static const struct commands commands[] = {
    /* Reading the state of a terminal or file, or touching this process's descriptor alone. Others reach far: TIOCSTI types into the
     * user's terminal, FS_IOC_SETFLAGS changes a file that is open for reading. */
    {SYS_ioctl,
     9,
     1,
     {0x5401 /* TCGETS */, 0x802c542a /* TCGETS2 */, 0x5413 /* TIOCGWINSZ */, 0x540f /* TIOCGPGRP */,
      0x541b /* FIONREAD */, 0x5450 /* FIONCLEX */, 0x5451 /* FIOCLEX */, 0x5460 /* FIOQSIZE */, 2 /* FIGETBSZ */},
     {0x5421 /* FIONBIO */}},
    /* Not F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY: who writes the file would meet them. Not F_SETOWN,
     * F_SETOWN_EX, F_SETSIG: together they send any signal to anybody. Not F_SET_RW_HINT, F_SET_FILE_RW_HINT: they stay with the
     * file. */
    {SYS_fcntl,
     14,
     5,
     {F_GETFD, F_SETFD, F_GETFL, F_GETLK, 9 /* F_GETOWN */, 11 /* F_GETSIG */, 16 /* F_GETOWN_EX */,
      36 /* F_OFD_GETLK */, 1025 /* F_GETLEASE */, 1027 /* F_DUPFD_QUERY */, 1032 /* F_GETPIPE_SZ */,
      1034 /* F_GET_SEALS */, 1035 /* F_GET_RW_HINT */, 1037 /* F_GET_FILE_RW_HINT */},
     {F_DUPFD, 1030 /* F_DUPFD_CLOEXEC */, F_SETFL, 1031 /* F_SETPIPE_SZ */, 1033 /* F_ADD_SEALS */}},
};

#define STANDARD_FILES 2 /* The largest number of one. */
#define WRITES         (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define FILES(call)                                                                                                    \
    { SYS_##call, REFUSE, 0, EACCES, 0 }
#define NEVER(call)                                                                                                    \
    { SYS_##call, REFUSE, 0, EPERM, 0 }

/* Lines of one call stand together: it is allowed when none of them refuses it. Those first that are made often. */
static const struct line lines[] = {
    {SYS_mmap, OWN_MAP, 4, EACCES, 0}, /* Written to by itself, a shared file can be changed anywhere. */
    {SYS_lseek, OWN_SEEK, 0, ESPIPE, 0},
    {SYS_ioctl, ONE_OF, 1, EPERM, 0},
    {SYS_fcntl, ONE_OF, 1, EPERM, 0},

    /* files */
    {SYS_openat, NO_BITS, 2, EACCES, WRITES},
    {NR_openat2, REFUSE, 0, ENOSYS, 0}, /* Its flags are in memory. */
    FILES(unlinkat),
    FILES(renameat2),
    FILES(mkdirat),
    FILES(mknodat),
    FILES(linkat),
    FILES(symlinkat),
    FILES(truncate),
    FILES(fchmod),
    FILES(fchmodat),
    {NR_fchmodat2, REFUSE, 0, EACCES, 0},
    FILES(fchown),
    FILES(fchownat),
    FILES(utimensat),
    FILES(setxattr),
    FILES(lsetxattr),
    FILES(fsetxattr),
    FILES(removexattr),
    FILES(lremovexattr),
    FILES(fremovexattr),
    NEVER(open_by_handle_at),
    NEVER(fanotify_init),
    NEVER(fanotify_mark),
#if defined(__x86_64__)
    {SYS_open, NO_BITS, 1, EACCES, WRITES},
    FILES(creat),
    FILES(unlink),
    FILES(rename),
    FILES(renameat),
    FILES(mkdir),
    FILES(rmdir),
    FILES(mknod),
    FILES(link),
    FILES(symlink),
    FILES(chmod),
    FILES(chown),
    FILES(lchown),
    FILES(utime),
    FILES(utimes),
    FILES(futimesat),
    NEVER(uselib),
#elif defined(SYS_renameat)
    FILES(renameat),
#endif
    {SYS_flock, REFUSE, 0, ENOSYS,
     0}, /* As on a file system without locks: who locks to read, such as HDF5, goes on. */

    /* standard files: no place in them, no other number, no state */
    {SYS_ftruncate, OWN_FILE, 0, EACCES, 0},
    {SYS_fallocate, OWN_FILE, 0, EACCES, 0},
    {SYS_pwrite64, OWN_FILE, 0, ESPIPE, 0},
    {SYS_pwritev, OWN_FILE, 0, ESPIPE, 0},
    {SYS_pwritev2, OWN_FILE, 0, ESPIPE, 0},
    {SYS_copy_file_range, OWN_FILE, 2, EACCES, 0},
    {SYS_splice, OWN_FILE, 0, EACCES, 0},
    {SYS_splice, OWN_FILE, 2, EACCES, 0},
    {SYS_tee, OWN_FILE, 0, EACCES, 0},
    {SYS_tee, OWN_FILE, 1, EACCES, 0},
    {SYS_vmsplice, OWN_FILE, 0, EACCES, 0},
    NEVER(io_setup), /* Its requests are in memory: io_submit writes anywhere in a file. */
    NEVER(io_submit),
    {SYS_dup, OWN_FILE, 0, EPERM, 0},
    {SYS_dup3, OWN_DUP, 0, EPERM, 0},
    {SYS_shutdown, OWN_FILE, 0, EACCES, 0},
    {SYS_setsockopt, OWN_FILE, 0, EACCES, 0},
    {SYS_sendmsg, OWN_FILE, 0, EACCES, 0}, /* With an address it would go anywhere. */
    {SYS_sendmmsg, OWN_FILE, 0, EACCES, 0},
    FILES(recvmsg), /* A descriptor that comes with a message gets a new number. */
    FILES(recvmmsg),
#if defined(__x86_64__)
    {SYS_dup2, OWN_DUP, 0, EPERM, 0},
#endif

    /* sockets and queues */
    FILES(socket),
    FILES(connect),
    FILES(bind),
    FILES(listen),
    FILES(accept),
    FILES(accept4),
    {SYS_socketpair, STREAM_PAIR, 0, EACCES, 0},
    {SYS_sendto, ONLY_NULL, 4, EACCES, 0},
    FILES(shmget),
    FILES(shmat),
    FILES(shmctl),
    FILES(semget),
    FILES(semop),
    FILES(semtimedop),
    FILES(semctl),
    FILES(msgget),
    FILES(msgsnd),
    FILES(msgrcv),
    FILES(msgctl),
    FILES(mq_open),
    FILES(mq_unlink),

    /* processes */
    FILES(execve),
    FILES(execveat),
    {SYS_clone, ALL_BITS, 0, EPERM, CLONE_THREAD},
    {NR_clone3, REFUSE, 0, ENOSYS, 0}, /* Its flags are in memory. */
#if defined(__x86_64__)
    NEVER(fork),
    NEVER(vfork),
#endif
    NEVER(unshare),
    NEVER(setns),
    {SYS_kill, ONLY_SELF, 0, EPERM, 0},
    {SYS_tkill, ONLY_SELF, 0, EPERM, 0},
    {SYS_tgkill, ONLY_SELF, 0, EPERM, 0},
    {SYS_rt_sigqueueinfo, ONLY_SELF, 0, EPERM, 0},
    {SYS_rt_tgsigqueueinfo, ONLY_SELF, 0, EPERM, 0},
    {SYS_prlimit64, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_setpriority, ONLY_VALUE, 0, EPERM, 0}, /* PRIO_PROCESS: 0 means all the user's processes for PRIO_USER. */
    {SYS_setpriority, SELF_OR_ZERO, 1, EPERM, 0},
    {SYS_ioprio_set, ONLY_VALUE, 0, EPERM, 1}, /* IOPRIO_WHO_PROCESS, for the same reason. */
    {SYS_ioprio_set, SELF_OR_ZERO, 1, EPERM, 0},
    {SYS_sched_setparam, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_sched_setscheduler, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_sched_setattr, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_migrate_pages, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_move_pages, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_prctl, NOT_VALUE, 0, EPERM, PR_SET_PDEATHSIG}, /* It ends with its zygote. */
    {SYS_prctl, NOT_VALUE, 0, EPERM, 62},               /* PR_SCHED_CORE: with whom others share a core. */
    NEVER(setpgid),
    NEVER(setsid),
    NEVER(ptrace),
    NEVER(process_vm_readv),
    NEVER(process_vm_writev),
    NEVER(kcmp),
    NEVER(pidfd_open),
    NEVER(pidfd_send_signal),
    {NR_pidfd_getfd, REFUSE, 0, EPERM, 0},
    {NR_process_madvise, REFUSE, 0, EPERM, 0},
    {NR_process_mrelease, REFUSE, 0, EPERM, 0},

    /* the kernel and the machine */
    NEVER(bpf),
    NEVER(perf_event_open),
    NEVER(userfaultfd),
    NEVER(io_uring_setup),
    NEVER(io_uring_enter),
    NEVER(io_uring_register),
    NEVER(add_key),
    NEVER(request_key),
    NEVER(keyctl),
    NEVER(mount),
    NEVER(umount2),
    NEVER(pivot_root),
    NEVER(chroot),
    NEVER(move_mount),
    NEVER(open_tree),
    NEVER(fsopen),
    NEVER(fsconfig),
    NEVER(fsmount),
    NEVER(fspick),
    {NR_mount_setattr, REFUSE, 0, EPERM, 0},
    NEVER(swapon),
    NEVER(swapoff),
    NEVER(quotactl),
    {NR_quotactl_fd, REFUSE, 0, EPERM, 0},
    NEVER(acct),
    NEVER(sethostname),
    NEVER(setdomainname),
    NEVER(reboot),
    NEVER(init_module),
    NEVER(finit_module),
    NEVER(delete_module),
    NEVER(kexec_load),
    NEVER(kexec_file_load),
    NEVER(settimeofday),
    NEVER(clock_settime),
    NEVER(clock_adjtime),
    NEVER(adjtimex),
    NEVER(vhangup),
    NEVER(syslog),
    NEVER(nfsservctl),
#if defined(__x86_64__)
    NEVER(iopl),
    NEVER(ioperm),
#endif
};

/* Allowed, and why. Names alone, for sandbox_calls.py.
 *
 * reads or tells: read readv pread64 preadv preadv2 open openat (for reading) stat fstat lstat newfstatat statx statfs fstatfs
 *     access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd getxattr lgetxattr fgetxattr listxattr llistxattr
 *     flistxattr poll ppoll select pselect6 readahead fadvise64 cachestat name_to_handle_at inotify_init inotify_init1
 *     inotify_add_watch inotify_rm_watch ustat sysfs uname sysinfo getrusage getrlimit times time gettimeofday clock_gettime
 *     clock_getres getrandom getcpu getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid getgroups getresuid
 *     getresgid capget getpriority ioprio_get sched_getparam sched_getscheduler sched_getaffinity sched_getattr
 *     sched_get_priority_max sched_get_priority_min sched_rr_get_interval get_robust_list get_mempolicy getsockname getpeername
 *     getsockopt recvfrom statmount listmount lsm_get_self_attr lsm_list_modules mq_getsetattr mq_timedreceive (of none: mq_open)
 *     lookup_dcookie wait4 waitid restart_syscall
 * writes to what it has, as a pipe is written to: write writev sendfile (no place of its own in the target) sendto (without an
 *     address); flushes what is written anyway: fsync fdatasync sync_file_range sync syncfs
 * its descriptors: close close_range pipe pipe2 dup (its own) eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime
 *     timerfd_gettime epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 epoll_ctl_old epoll_wait_old
 *     memfd_create memfd_secret socketpair (streams)
 * its memory: munmap mremap mprotect pkey_mprotect pkey_alloc pkey_free brk madvise mincore msync mlock mlock2 munlock mlockall
 *     munlockall mbind set_mempolicy set_mempolicy_home_node remap_file_pages shmdt map_shadow_stack mseal membarrier
 * its threads and itself: exit exit_group futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list set_tid_address rseq
 *     sched_yield sched_setaffinity (of its threads, hence of all) nanosleep clock_nanosleep pause alarm setitimer getitimer
 *     timer_create (the kernel refuses threads of others) timer_settime timer_gettime timer_getoverrun timer_delete rt_sigaction
 *     rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack personality arch_prctl modify_ldt
 *     set_thread_area get_thread_area setrlimit umask chdir fchdir setuid setgid setreuid setregid setresuid setresgid setfsuid
 *     setfsgid setgroups capset seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_set_self_attr
 *     io_destroy io_getevents io_pgetevents io_cancel (of contexts that there are none of) mq_timedsend mq_notify (likewise)
 * not in the kernel, or no longer: _sysctl create_module get_kernel_syms query_module getpmsg putpmsg afs_syscall tuxcall security
 *     vserver
 *
 * Newer than LAST_KNOWN, and therefore refused (looked at up to Linux 6.18): setxattrat getxattrat listxattrat removexattrat
 *     open_tree_attr file_getattr file_setattr. Libraries fall back on the older calls.
 */

#endif
