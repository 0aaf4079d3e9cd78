/* forksafe_sandbox.c - MAPE_SANDBOX_COMPUTE: a worker that computes, and is kept from all else
 *
 * Runs between fork and the user's function: see mapb_forksafe.h for what may be called here.
 *
 * Three layers, which a process can enter and never leave, and which its threads and children inherit:
 *
 *   no rights        what a process of root may do beyond others goes, but for reading any file (capabilities(7)); and
 *                    no_new_privs, which the other two ask for (prctl(2))
 *   Landlock         no file is written or executed; other processes are out of reach of signals, ptrace(2) and
 *                    /proc/PID/mem; no TCP; as far as the kernel's version goes (landlock(7))
 *   a seccomp filter a classic BPF program that the kernel runs for each system call (seccomp(2)); it sees the number and
 *                    the arguments, but no memory that they point to
 *
 * The filter lists what is refused, since libraries use more calls than one can know. What is newer than the list is refused as
 * unknown. The kernel keeps a bitmap of the calls that are allowed whatever their arguments (Linux 5.11), so the calls that
 * workers live by, futex and write among them, do not run the program at all.
 *
 * The numbers of Landlock and of late system calls are written out: headers of older systems do not have them.
 */
#include "CMapBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the low half of an argument is taken to come first"
#endif

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
    STREAM_PAIR,  /* socketpair(AF_UNIX, SOCK_STREAM | flags). */
    IOCTL         /* Refused unless the request is among `readable`. */
};

struct line {
    int call;
    uint8_t rule, argument, error;
    uint32_t value;
};

/* Requests of ioctl(2) that read the state of a terminal or file, or touch this process's descriptor alone. Others reach far: TIOCSTI
 * types into the user's terminal, FS_IOC_SETFLAGS changes a file that is open for reading. */
static const uint32_t readable[] = {
    0x5401 /* TCGETS */,   0x802c542a /* TCGETS2 */, 0x5413 /* TIOCGWINSZ */, 0x540f /* TIOCGPGRP */,
    0x541b /* FIONREAD */, 0x5421 /* FIONBIO */,     0x5450 /* FIONCLEX */,   0x5451 /* FIOCLEX */,
    0x5460 /* FIOQSIZE */, 2 /* FIGETBSZ */,
};

#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define FILES(call)                                                                                                    \
    { SYS_##call, REFUSE, 0, EACCES, 0 }
#define NEVER(call)                                                                                                    \
    { SYS_##call, REFUSE, 0, EPERM, 0 }

static const struct line lines[] = {
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
    {SYS_ioctl, IOCTL, 1, EPERM, 0},
    {SYS_fcntl, NOT_VALUE, 1, EPERM, F_SETOWN}, /* With F_SETSIG it would send any signal to anybody. */
    {SYS_fcntl, NOT_VALUE, 1, EPERM, 15},       /* F_SETOWN_EX */

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
    {SYS_setpriority, SELF_OR_ZERO, 1, EPERM, 0},
    {SYS_ioprio_set, SELF_OR_ZERO, 1, EPERM, 0},
    {SYS_migrate_pages, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_move_pages, SELF_OR_ZERO, 0, EPERM, 0},
    {SYS_prctl, NOT_VALUE, 0, EPERM, PR_SET_PDEATHSIG}, /* It ends with its zygote. */
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

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MOST         1024

/* The program while it grows. Each rule is a piece of its own, so that no jump is long: at the call's number it goes on, else behind
 * the piece. A piece ends in a decision, but for calls with several rules. */
struct program {
    struct sock_filter code[MOST];
    unsigned count;
};

static struct sock_filter *put(struct program *p, uint16_t code, uint8_t yes, uint8_t no, uint32_t k) {
    struct sock_filter *at = &p->code[p->count < MOST - 1 ? p->count++ : MOST - 1];
    *at = (struct sock_filter){code, yes, no, k};
    return at;
}

static void load(struct program *p, size_t offset) { put(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset); }
static void jump_if(struct program *p, uint16_t how, uint32_t k, uint8_t yes, uint8_t no) {
    put(p, (uint16_t)(BPF_JMP | how | BPF_K), yes, no, k);
}
static void answer(struct program *p, uint32_t what) { put(p, BPF_RET | BPF_K, 0, 0, what); }

#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (size_t)(n)*8)

/* Loads the call's number anew: an earlier rule of the same call has loaded an argument. */
static void add(struct program *p, const struct line *l, uint32_t self) {
    const uint32_t refuse = SECCOMP_RET_ERRNO | l->error;
    load(p, offsetof(struct seccomp_data, nr));
    struct sock_filter *is_it = put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (uint32_t)l->call);
    const unsigned start = p->count;
    if (l->rule != REFUSE) load(p, ARGUMENT(l->argument));
    switch ((enum rule)l->rule) {
    case REFUSE: break;
    case NO_BITS: jump_if(p, BPF_JSET, l->value, 0, 1); break;
    case ALL_BITS: jump_if(p, BPF_JSET, l->value, 1, 0); break; /* One bit: has it is has all. */
    case ONLY_SELF: jump_if(p, BPF_JEQ, self, 1, 0); break;
    case SELF_OR_ZERO:
        jump_if(p, BPF_JEQ, self, 2, 0);
        jump_if(p, BPF_JEQ, 0, 1, 0);
        break;
    case NOT_VALUE: jump_if(p, BPF_JEQ, l->value, 0, 1); break;
    case ONLY_NULL:
        jump_if(p, BPF_JEQ, 0, 0, 2);
        load(p, ARGUMENT(l->argument) + 4);
        jump_if(p, BPF_JEQ, 0, 1, 0);
        break;
    case STREAM_PAIR:
        jump_if(p, BPF_JEQ, AF_UNIX, 0, 3);
        load(p, ARGUMENT(1));
        put(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf); /* Without SOCK_CLOEXEC and SOCK_NONBLOCK. */
        jump_if(p, BPF_JEQ, SOCK_STREAM, 1, 0);
        break;
    case IOCTL:
        for (unsigned i = 0; i < COUNT(readable); i++)
            jump_if(p, BPF_JEQ, readable[i], (uint8_t)(COUNT(readable) - i), 0);
        break;
    }
    answer(p, refuse);
    is_it->jf = (uint8_t)(p->count - start);
}

/* BSS rather than stack: 8 KiB. Only the worker's one thread is here. */
static struct program filter;

static int install_filter(void) {
#ifndef MACHINE
    return ENOSYS;
#else
    const uint32_t self = (uint32_t)getpid();
    filter.count = 0;
    load(&filter, offsetof(struct seccomp_data, arch));
    jump_if(&filter, BPF_JEQ, MACHINE, 1, 0);
    answer(&filter, SECCOMP_RET_ERRNO | ENOSYS);
    load(&filter, offsetof(struct seccomp_data, nr));
    jump_if(&filter, BPF_JGT, LAST_KNOWN, 0, 1); /* Those of x32 are larger by 2^30. */
    answer(&filter, SECCOMP_RET_ERRNO | ENOSYS);
    for (unsigned i = 0; i < COUNT(lines); i++) add(&filter, &lines[i], self);
    answer(&filter, SECCOMP_RET_ALLOW);
    if (filter.count >= MOST) return E2BIG;
    struct sock_fprog program = {(unsigned short)filter.count, filter.code};
    /* SPEC_ALLOW: without it kernels before 5.16 slow a process under a filter down, against attacks on secrets within
     * the same process, of which there are none here (Spectre, variant 4). */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0) return errno;
    return 0;
#endif
}

const char *mapb_sandbox_lacks(void) {
#ifndef MACHINE
    return "filters of system calls are written for x86-64 and aarch64 alone";
#else
    uint32_t action = SECCOMP_RET_ERRNO;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return NULL;
    return "this kernel, or the container, has no filters of system calls (seccomp(2), CONFIG_SECCOMP_FILTER)";
#endif
}

/* ---- Landlock ---- */

struct ruleset {
    uint64_t files, net, scoped;
};

int mapb_landlock_version(void) {
    /* LANDLOCK_CREATE_RULESET_VERSION */
    long version = syscall(NR_landlock_create_ruleset, NULL, 0, 1);
    return version > 0 ? (int)version : 0;
}

/* A ruleset without a rule: what it handles is allowed nowhere. */
static int restrict_by_landlock(void) {
    const int version = mapb_landlock_version();
    if (version == 0) return 0;
    /* EXECUTE and WRITE_FILE; from bit 4 on what changes a folder; REFER (2), TRUNCATE (3), IOCTL_DEV (5). Reading stays free. */
    struct ruleset rules = {.files = 0x1fff & ~UINT64_C(0xc)};
    if (version >= 2) rules.files |= 1 << 13;
    if (version >= 3) rules.files |= 1 << 14;
    if (version >= 5) rules.files |= 1 << 15;
    if (version >= 4) rules.net = 3;    /* BIND_TCP, CONNECT_TCP */
    if (version >= 6) rules.scoped = 3; /* ABSTRACT_UNIX_SOCKET, SIGNAL */
    const size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int set = (int)syscall(NR_landlock_create_ruleset, &rules, size, 0);
    if (set < 0) return errno;
    int why = syscall(NR_landlock_restrict_self, set, 0) == 0 ? 0 : errno;
    close(set);
    return why;
}

static int give_up_rights(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_capget, &head, sets) != 0) return errno;
    const uint32_t kept = UINT32_C(1) << CAP_DAC_READ_SEARCH;
    for (int i = 0; i < 2; i++) {
        sets[i].effective &= i == 0 ? kept : 0;
        sets[i].permitted &= i == 0 ? kept : 0;
        sets[i].inheritable = 0;
    }
    return syscall(SYS_capset, &head, sets) == 0 ? 0 : errno;
}

int mapb_enter_sandbox(const int *keep, int count, char message[128]) {
    const char *what = "giving up rights";
    int why = give_up_rights();
    mapb_close_others(keep, count, 0);
    if (!why) {
        what = "Landlock";
        why = restrict_by_landlock();
    }
    if (!why) {
        what = "the filter of system calls";
        why = install_filter();
    }
    if (why) snprintf(message, 128, "the sandbox cannot be entered: %s: error %d", what, why);
    return why;
}
