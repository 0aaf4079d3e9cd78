/* host_process.c - which process this is, and what it has of the library
 *
 * A process may have pools: a program, a child that it forks, and a worker. What the library has in a process as a whole hangs on one page
 * that a fork finds zeroed (MADV_WIPEONFORK), whether libc makes the fork or not: so a child begins anew, whatever other threads of
 * its parent had locked or half done, and never touches what is its parent's. What it got by the fork is
 *
 *   memory        none that is shared (MADV_DONTFORK); objects on the heap stay where they are, and nobody uses them
 *   handles       are refused: they say in which process of the line they were made (Handles.swift)
 *   descriptors   are closed in the child by a handler of pthread_atfork(3), so that no child keeps the memory of a pool that its parent has
 *                 destroyed, or the zygote's socket open. The handler closes numbers and forgets the lock below, and does nothing else. The one of
 *                 mape_pool_event_fd stays: it is in the host's hands
 *   proxies       call nobody in a child: their slots say whose they are (host_proxy.c)
 *   the loader    whose list of files has a lock that libc's fork() does not make free in the child: a fork waits until no thread is in
 *                 mapb_each_object, which reads the list under a lock of this page
 */
#include "../common/process.h"
#include "system.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { UNKNOWN, BEING_MADE, READY };

/** What the library has in this process. */
struct here {
    uint32_t state;
    int32_t pid;
    uint32_t
        number; /* Which in the line of processes that had pools: 1 for the first, one more in a child that has pools as well. */
    void *handles;    /* In Swift. */
    mapb_lock loader; /* Held while a thread reads the loader's list. */
};

static struct here nowhere; /* Where there is no page, and so no pool. */
static struct here *here = &nowhere;
static uint32_t line; /* A fork copies it. */

static struct here *this_process(void) { return __atomic_load_n(&here, __ATOMIC_ACQUIRE); }

/* ---- descriptors ---- */

#define FILES 62
struct files {
    int32_t numbers[FILES]; /* 0: free. */
    struct files *next;
};
static struct files first_files;
static __thread int becomes_zygote;

int mapb_keep_file(int fd) {
    if (fd <= 0) return fd;
    for (struct files *files = &first_files;;) {
        for (int i = 0; i < FILES; i++) {
            int32_t none = 0;
            if (__atomic_load_n(&files->numbers[i], __ATOMIC_RELAXED) == 0 &&
                __atomic_compare_exchange_n(&files->numbers[i], &none, fd, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
                return fd;
        }
        struct files *next = __atomic_load_n(&files->next, __ATOMIC_ACQUIRE);
        if (!next) {
            struct files *made = calloc(1, sizeof *made);
            if (!made) return fd; /* A child has it as well. */
            if (__atomic_compare_exchange_n(&files->next, &next, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                next = made;
            else free(made);
        }
        files = next;
    }
}

void mapb_forget_file(int fd) {
    if (fd <= 0) return;
    for (struct files *files = &first_files; files; files = __atomic_load_n(&files->next, __ATOMIC_ACQUIRE)) {
        for (int i = 0; i < FILES; i++) {
            int32_t number = fd;
            if (__atomic_load_n(&files->numbers[i], __ATOMIC_RELAXED) == fd &&
                __atomic_compare_exchange_n(&files->numbers[i], &number, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                return;
        }
    }
}

/* In a child, which has one thread. A zygote closes more, and needs one of them. */
static void forget_files(int closes) {
    for (struct files *files = &first_files; files; files = files->next) {
        for (int i = 0; i < FILES; i++) {
            if (closes && files->numbers[i] > 2) close(files->numbers[i]);
            files->numbers[i] = 0;
        }
    }
}

/* ---- the loader's list ---- */

/* By this thread: it reads the list, or forks. Set before the lock is taken, and as long as it is held: a signal handler that forks in
 * between finds it. */
static __thread mapb_lock *held;
static __thread int holds_for_fork;

static void hold_loader(void) {
    struct here *now = this_process();
    if (now == &nowhere) return;
    held = &now->loader;
    mapb_lock_acquire(held);
}

static void let_loader(void) {
    if (held) mapb_lock_release(held);
    held = NULL;
}

int mapb_each_object(int (*look)(struct dl_phdr_info *, size_t, void *), void *context) {
    hold_loader();
    const int answer = dl_iterate_phdr(look, context);
    let_loader();
    return answer;
}

/* ---- forks by libc ---- */

static void before_fork(void) {
    const int error = errno;
    if (!held) {
        hold_loader();
        holds_for_fork = 1;
    }
    errno = error;
}

static void in_parent(void) {
    const int error = errno;
    if (holds_for_fork) let_loader();
    holds_for_fork = 0;
    errno = error;
}

static void in_child(void) {
    const int error = errno;
    held = NULL; /* The page is new. */
    holds_for_fork = 0;
    forget_files(!becomes_zygote);
    becomes_zygote = 0;
    errno = error;
}

void mapb_next_becomes_zygote(int does) { becomes_zygote = does; }

/* ---- the page ---- */

static int make_page(const char **call) {
    struct here *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *call = "mmap";
    if (page == MAP_FAILED) return errno;
    *call = "madvise(MADV_WIPEONFORK)";
    if (madvise(page, 4096, MADV_WIPEONFORK) != 0) {
        int why = errno;
        munmap(page, 4096);
        return why;
    }
    struct here *none = &nowhere;
    if (!__atomic_compare_exchange_n(&here, &none, page, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) munmap(page, 4096);
    else pthread_atfork(before_fork, in_parent, in_child);
    return 0;
}

int mapb_remember_host(const char **call) {
    if (this_process() == &nowhere) {
        int why = make_page(call);
        if (why) return why;
    }
    struct here *now = this_process();
    for (;;) {
        uint32_t state = UNKNOWN;
        if (__atomic_compare_exchange_n(&now->state, &state, BEING_MADE, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) break;
        if (state == READY) return 0;
        sched_yield();
    }
    /* A child that was made without libc's fork() still has the parent's list. What the numbers are by now is not known. */
    if (line > 0) forget_files(0);
    if (line < mapb_zygote_state()->line)
        line = mapb_zygote_state()->line; /* A worker: the host has handles as well. */
    now->pid = getpid();
    now->number = ++line;
    mapb_find_address_end();
    __atomic_store_n(&now->state, READY, __ATOMIC_RELEASE);
    return 0;
}

uint32_t mapb_process_number(void) {
    const struct here *now = this_process();
    return __atomic_load_n(&now->state, __ATOMIC_ACQUIRE) == READY ? now->number : 0;
}

const uint32_t *mapb_process_word(void) { return &this_process()->number; }

int mapb_is_forked_child(void) { return this_process() != &nowhere && mapb_process_number() == 0; }

int mapb_shares_host(void) { return mapb_process_number() != 0 && this_process()->pid != getpid(); }

void *mapb_handles(void) { return __atomic_load_n(&this_process()->handles, __ATOMIC_ACQUIRE); }

void *mapb_keep_handles(void *handles) {
    void *none = NULL;
    return __atomic_compare_exchange_n(&this_process()->handles, &none, handles, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
               ? handles
               : none;
}

const char *mapb_program_name(void) { return program_invocation_short_name ? program_invocation_short_name : ""; }
