/* fork_sandbox.c - MAPE_SANDBOX_COMPUTE: a worker that computes, and is kept from all else
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
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
 * The filter lists the calls that it refuses, because libraries use more calls than we can know. It refuses calls that are newer than the
 * list as unknown. The kernel keeps a bitmap of the calls that are allowed whatever their arguments (Linux 5.11), so the calls that
 * workers live by, futex and write among them, do not run the program at all.
 *
 * The numbers of Landlock and of late system calls are written out: headers of older systems do not have them.
 */
#include "system.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fork_sandbox_calls.h"

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the low half of an argument is taken to come first"
#endif

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MOST         1024

/* The program while it grows. What is said of one call is a piece of its own, so that no jump is long: at the call's number it goes
 * on, else behind the piece. A piece ends in a decision, so the number is loaded once, before the first. */
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

/* The commands of a call, then those for files of its own. Number and command are 32 bits to the kernel, too. */
static void add_commands(struct program *p, const struct line *l) {
    const struct commands *c = commands;
    while (c->call != l->call) c++;
    const unsigned harmless = c->harmless_count, own = c->own_count;
    /* Behind all comparisons: 2 instructions that look at the descriptor, then the refusal, which is jumped over. */
    for (unsigned i = 0; i < harmless; i++)
        jump_if(p, BPF_JEQ, c->harmless[i], (uint8_t)(harmless - 1 - i + own + 3), 0);
    for (unsigned i = 0; i < own; i++) jump_if(p, BPF_JEQ, c->own[i], (uint8_t)(own - 1 - i), i + 1 < own ? 0 : 2);
    load(p, ARGUMENT(0));
    jump_if(p, BPF_JGT, STANDARD_FILES, 1, 0);
}

/* One line: goes on behind the refusal if the call may be made. */
static void add(struct program *p, const struct line *l, uint32_t self) {
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
    case ONLY_VALUE: jump_if(p, BPF_JEQ, l->value, 1, 0); break;
    case ONLY_NULL:
        jump_if(p, BPF_JEQ, 0, 0, 2);
        load(p, ARGUMENT(l->argument) + 4);
        jump_if(p, BPF_JEQ, 0, 1, 0);
        break;
    case ONE_OF: add_commands(p, l); break;
    case OWN_FILE: jump_if(p, BPF_JGT, STANDARD_FILES, 1, 0); break;
    case OWN_MAP:
        jump_if(p, BPF_JGT, STANDARD_FILES, 3, 0);
        load(p, ARGUMENT(3));
        jump_if(p, BPF_JSET, MAP_ANONYMOUS, 1, 0);
        break;
    case OWN_SEEK: /* lseek(fd, 0, SEEK_CUR), 0 in all its 64 bits */
        jump_if(p, BPF_JGT, STANDARD_FILES, 7, 0);
        load(p, ARGUMENT(1));
        jump_if(p, BPF_JEQ, 0, 0, 4);
        load(p, ARGUMENT(1) + 4);
        jump_if(p, BPF_JEQ, 0, 0, 2);
        load(p, ARGUMENT(2));
        jump_if(p, BPF_JEQ, SEEK_CUR, 1, 0);
        break;
    case OWN_DUP:
        jump_if(p, BPF_JGT, STANDARD_FILES, 3, 0);
        load(p, ARGUMENT(1));
        jump_if(p, BPF_JGT, STANDARD_FILES, 0, 1);
        break;
    case STREAM_PAIR:
        jump_if(p, BPF_JEQ, AF_UNIX, 0, 3);
        load(p, ARGUMENT(1));
        put(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf); /* Without SOCK_CLOEXEC and SOCK_NONBLOCK. */
        jump_if(p, BPF_JEQ, SOCK_STREAM, 1, 0);
        break;
    }
    answer(p, SECCOMP_RET_ERRNO | l->error);
}

/* All lines of the call that line `first` is of. @return how many they are. */
static unsigned add_call(struct program *p, unsigned first, uint32_t self) {
    struct sock_filter *is_it = put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (uint32_t)lines[first].call);
    const unsigned start = p->count;
    unsigned count = 0;
    do add(p, &lines[first + count++], self);
    while (first + count < COUNT(lines) && lines[first + count].call == lines[first].call);
    if (lines[first].rule != REFUSE) answer(p, SECCOMP_RET_ALLOW);
    is_it->jf = (uint8_t)(p->count - start);
    return count;
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
    for (unsigned i = 0; i < COUNT(lines);) i += add_call(&filter, i, self);
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

/* Steps into it, with the calls they are made of. */
static const char *const steps[] = {
    "giving up rights (prctl, capget, capset)",
    "closing descriptors of others (openat, getdents64 on /proc/self/fd)",
    "Landlock (landlock_create_ruleset, landlock_restrict_self)",
    "the filter of system calls (seccomp)",
};

const char *mapb_sandbox_failed(int code) {
    const int step = code - (int)MAPB_EXIT_NO_SANDBOX;
    return step >= 0 && step < (int)COUNT(steps) ? steps[step] : NULL;
}

int mapb_enter_sandbox(const int *keep, int count, char message[128]) {
    int step = 0, why = give_up_rights();
    if (!why) step++, why = mapb_close_others(keep, count, 0);
    if (!why) step++, why = restrict_by_landlock();
    if (!why) step++, why = install_filter();
    if (!why) return 0;
    snprintf(message, 128, "the sandbox cannot be entered: %s: error %d", steps[step], why);
    return (int)MAPB_EXIT_NO_SANDBOX + step;
}
