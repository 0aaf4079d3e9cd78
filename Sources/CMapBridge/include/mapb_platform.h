/* mapb_platform.h - what the engine needs of a system, by names that are no system's own
 *
 * A folder implements it: linux/. Another system gets a folder beside it, and nothing above changes. The vocabulary:
 *
 *   name           what it is                                                            Linux          elsewhere, for example
 *   mapb_poller_   a set of descriptors that one thread waits for; each has a tag          epoll          kqueue
 *   mapb_notifier_ a descriptor that any thread makes readable, until it is drained        eventfd        pipe, EVFILT_USER
 *   mapb_bell_     the same across processes: who rings can neither read nor block it      pipe           pipe
 *   mapb_shared_   memory of a fixed size that processes map, and some can only read       memfd, seals   shm_open, then shm_unlink
 *   mapb_word_     sleeping until a word in memory changes; in memory that this process    futex          os_sync_wait_on_address
 *                  can only read as well
 *   mapb_child_    a child by a watch that no later process of the same id can have        pidfd          EVFILT_PROC
 *   mapb_barrier   a memory barrier on all processors at once; answers 0 where there is    membarrier     none: 0
 *                  none, and workers then take nothing back
 *
 * A system's folder has besides: the zygote (mapb_zygote.h), a worker's process (mapb_worker.h), and what the host looks up in a process
 * (mapb_host.h). Descriptors, signals, process ids, errno and dlopen are POSIX's, and so in common/ and Swift as well.
 */
#ifndef MAPB_PLATFORM_H
#define MAPB_PLATFORM_H

#include "mapb_base.h"

#include <signal.h>

/* What they are named by in messages, for who looks for the call that is denied. */
#if defined(__linux__)
#define MAPB_NAME_POLLER_OPEN   "epoll_create1"
#define MAPB_NAME_POLLER_ADD    "epoll_ctl"
#define MAPB_NAME_POLLER_WAIT   "epoll_wait"
#define MAPB_NAME_NOTIFIER_OPEN "eventfd2"
#define MAPB_NAME_SHARED_READER "openat of shared memory, read-only, through /proc/self/fd,"
#define MAPB_NAME_PIPE          "pipe2"
#endif

/* ---- pollers ---- */

/** @return descriptor, or a negative errno. */
int mapb_poller_open(void);
/** Has a descriptor waited for until it is readable. @return 0 or an errno. */
int mapb_poller_add(int poller, int fd, uint64_t tag);
/** The same, of one that is in it; writable: until it can be written to as well. */
void mapb_poller_change(int poller, int fd, uint64_t tag, int writable);
void mapb_poller_remove(int poller, int fd);
/** Waits for at most `count` ready descriptors; timeout in ns, negative: for ever. @return how many tags were stored, or a
 *  negative errno. */
int mapb_poller_wait(int poller, uint64_t *tags, int count, int64_t timeout_ns);
/** Waits until a descriptor is readable; timeout in ns, negative: for ever. */
void mapb_wait_readable(int fd, int64_t timeout_ns);
/** Waits for the signal of an asynchronous request to end this thread, if one is under way, so that it acts or is noted before this returns.
 *  Called when requests are held back, where the thread may still end.
 *
 *  glibc before 2.41 (its bug 12683) sends that signal some time after it found the thread asynchronous. What the signal's handler looks at is
 *  the type alone, and each of glibc's own cancellation points (read, write, close …) sets the type for as long as it runs. So a late
 *  signal ends the thread in the next of these, although requests are held back by then. But a cancellation point does not return
 *  while a signal is under way: so one that does nothing else is what to call. */
void mapb_await_cancel(void);

/* ---- sleeps that a signal ends ---- */

/** What a thread that waits has held back: while it does not sleep, its signals wait for its sleep, which they end. */
typedef struct mapb_signals {
    sigset_t before; /* Its mask. */
    int poller;      /* Negative: it has not slept as one that follows. */
} mapb_signals;

/** Holds back all signals of the calling thread but those that a fault raises. */
void mapb_signals_hold(mapb_signals *signals);
/** Ends that: handlers run now. */
void mapb_signals_let(mapb_signals *signals);
/** mapb_wait_readable with the signals let in. @return 1 when a handler has run. */
int mapb_signals_wait_readable(const mapb_signals *signals, int fd, int64_t timeout_ns);
/** Opens what such a sleep needs, once: before the thread may be cancelled, which would leave a descriptor behind. */
void mapb_signals_prepare(mapb_signals *signals, int notifier);
/** Sleeps with the signals let in while a word is `expected`; who changes it notifies. @return 1 when a handler has run. */
int mapb_signals_wait_changes(mapb_signals *signals, const uint32_t *word, uint32_t expected, int64_t timeout_ns);

/* ---- notifiers ---- */

/** @return descriptor, or a negative errno. */
int mapb_notifier_open(void);
/** Makes it readable. */
void mapb_notifier_notify(int fd);
/** Makes it no longer so. Also for the one that mapb_zygote_signals returns. */
MAPB_FORK_SAFE void mapb_notifier_drain(int fd);

/* ---- bells ---- */

/** Which file a descriptor is of: st_dev, st_ino. */
typedef struct mapb_inode {
    uint64_t device, number;
} mapb_inode;

/** Two ends that never block: [0] is read, [1] is written. @return 0, or an errno. */
int mapb_bell_open(int out[2]);
/** Reads what is in it, at most as much as a pipe holds: whoever rings without end does not keep the reader. */
void mapb_bell_drain(int fd);
MAPB_FORK_SAFE void mapb_bell_ring(int fd);
/** Opens the writing end anew, and closes the one given: its flags are then this process's own, so that no worker can make
 *  another's ring block. Its number is one that functions do not come near. @return it; *out: by what it is known. */
MAPB_FORK_SAFE int mapb_bell_own(int fd, mapb_inode *out);
/** Whether the bell is still open: a function may have closed it, and its number may be another file's. */
MAPB_FORK_SAFE int mapb_bell_is_there(int fd, const mapb_inode *bell);
/** Rings a bell. @return 1; 0: it is closed. */
MAPB_FORK_SAFE int mapb_bell_ring_own(int fd, const mapb_inode *bell);

/* ---- shared memory ---- */

/** Of a size that nobody can change. @return descriptor, or a negative errno, and in `call` what failed: static text. */
int mapb_shared_create(const char *name, uint64_t size, const char **call);
/** A second descriptor of the same memory, for those who may only read it: a mapping of it can never become writable.
 *  @return descriptor, or a negative errno. */
int mapb_shared_reader(int fd);
/** Maps it for the host, not inherited by forks. @return NULL with errno on failure. */
uint8_t *mapb_shared_map_host(int fd, uint64_t size);
/** Maps it in a worker. @return NULL with errno on failure. */
MAPB_FORK_SAFE uint8_t *mapb_shared_map(int fd, uint64_t size, int writable);
/** Returns pages to the system; they read as zeros afterwards. */
void mapb_shared_discard(uint8_t *at, uint64_t size);
void mapb_shared_unmap(uint8_t *at, uint64_t size);
/** Zeroed memory of this process alone. @return NULL on failure. */
MAPB_FORK_SAFE void *mapb_private_memory(uint64_t size);
MAPB_FORK_SAFE void mapb_private_memory_free(void *memory, uint64_t size);
/** Bytes of private memory that this process has, what is swapped out included. 0: not to be had. */
MAPB_FORK_SAFE uint64_t mapb_private_bytes(void);

/* ---- words ---- */

/** Sleeps while the low half of a word is `expected`. The word may lie in shared memory that this process can only read. May return
 *  early. */
MAPB_FORK_SAFE void mapb_word_wait(const uint64_t *word, uint32_t expected);
/** Wakes whoever sleeps on it. */
void mapb_word_wake(const uint64_t *word);
/** Sleeps while a word of this process's own memory is `expected`; timeout in ns, negative: for ever. May return early. A thread can be
 *  cancelled in it asynchronously: it holds nothing. */
void mapb_word_wait_local(const uint32_t *word, uint32_t expected, int64_t timeout_ns);
/** Wakes all threads of this process that sleep on it; _one: one of them. */
void mapb_word_wake_local(const uint32_t *word);
void mapb_word_wake_local_one(const uint32_t *word);

/** A full memory barrier on every processor that runs a worker that has joined. @return 1, or 0 when there is none. */
int mapb_barrier(void);
/** Takes part in it. @return 1, or 0 when there is none. */
MAPB_FORK_SAFE int mapb_join_barriers(void);

/* ---- children of the host ---- */

typedef struct mapb_spawned {
    int pid;
    int watch;  /* Readable once it has ended; -1: there is none. */
    int how;    /* Once it has ended: an enum mapb_ended; */
    int status; /* and its exit code or signal. */
} mapb_spawned;

/** UNKNOWN: somebody else has reaped it. */
enum mapb_ended { MAPB_ENDED_UNKNOWN = 0, MAPB_ENDED_BY_EXIT = 1, MAPB_ENDED_BY_SIGNAL = 2 };

/** Watches out->pid, a child that is not yet reaped. @return 0 or an errno, and in `call` what failed: static text. */
int mapb_child_watch(mapb_spawned *out, const char **call);
/** Whether it has ended. It is not reaped. */
int mapb_child_has_ended(const mapb_spawned *child);
/** Waits for its end, at most so long; negative: for ever. @return 1 ended, reaped and no longer watched; 0 not yet. */
int mapb_child_wait(mapb_spawned *child, int timeout_ms);
/** SIGKILL to it, and to nobody else. */
void mapb_child_kill(mapb_spawned *child);

/* ---- processes ---- */

/** This process's id, and its parent's. */
MAPB_FORK_SAFE int mapb_process_id(void);
MAPB_FORK_SAFE int mapb_parent_id(void);
/** fork(2) as the C library has it. @return pid, 0 in the child, or a negative errno. */
MAPB_FORK_SAFE int mapb_fork(void);
MAPB_FORK_SAFE _Noreturn void mapb_exit(int code);
/** SIGKILL to a process group, and to the process that leads it or is about to. */
MAPB_FORK_SAFE void mapb_kill_group(int pid);
/** SIGKILL to a process group whose leader may have been reaped. */
void mapb_kill_rest(int group);
/** How many threads this process has; 0: unknown. */
MAPB_FORK_SAFE uint32_t mapb_thread_count(void);
/** Gives the calling thread the usual class of scheduling, if it has a real-time one. */
MAPB_FORK_SAFE void mapb_leave_real_time(void);
/** The folder that a process is in. @return 1, or 0 when it cannot be told. */
int mapb_folder_of(int pid, char *path, uint64_t size);

/** Both ends of a connection that keeps packets whole and carries descriptors. @return 0, or an errno. */
int mapb_socket_pair(int out[2]);
/** Ends it, for all who have it open. */
void mapb_hang_up(int socket);
/** A pipe whose read end does not block. @return 0 or an errno. */
int mapb_pipe(int out[2]);
/** Nothing where fd is negative. */
MAPB_FORK_SAFE void mapb_close(int fd);
/** Writes a text and a line end to standard error. */
MAPB_FORK_SAFE void mapb_say(const char *text, uint64_t size);

/* ---- time and processors ---- */

/** The monotonic clock in ns. */
MAPB_FORK_SAFE int64_t mapb_clock(void);
/** Sleeps for 10 ms. */
void mapb_nap(void);
/** The processor this thread runs on. */
MAPB_FORK_SAFE uint32_t mapb_processor(void);
/** Moves this process to the n-th of the processors that it may run on, counted round. The kernel may move it again. */
MAPB_FORK_SAFE void mapb_go_home(uint32_t n);
/** Moves this process off a processor, if it may run on others. */
MAPB_FORK_SAFE void mapb_step_aside(uint32_t processor);

/* ---- this machine ---- */

/** Processors that this process may use. */
int mapb_cores(void);
/** A resource limit's current value, UINT64_MAX when there is none. which: 0 address space, 1 file size. */
uint64_t mapb_limit(int which);
/** Limits this process's data, as that of a worker is. */
void mapb_limit_memory(uint64_t size);
/** Bytes of memory that this machine has, swap included. */
uint64_t mapb_memory(void);

/* ---- signals in words ---- */

/** A signal's name without SIG, or NULL. */
const char *mapb_signal_name(int number);
/** Why a signal cannot be mape_pool_config.cancel_signal: static text; NULL: it can. */
const char *mapb_signal_refused(int number);
/** What a signal's si_code says: static text, "" for nothing. */
const char *mapb_signal_meaning(int signal, int code);
/** Whether a signal is about an address that the program used. */
int mapb_signal_has_address(int signal, int code);

/* ---- system calls that are denied ---- */

/** Calls that zygote and workers need, calls that the host needs as well, or calls without which some setting is not in force. */
enum mapb_calls_of { MAPB_CALLS_ZYGOTE = 2, MAPB_CALLS_NEEDED = 3, MAPB_CALLS_WANTED = 4 };
/** Tries each with arguments by which it does nothing, and writes the names of those that a filter (seccomp) denies to this process,
 *  with commas between them. @return how many they are. */
MAPB_FORK_SAFE int mapb_calls_denied(enum mapb_calls_of which, char *text, uint64_t size);
/** Writes a text for the log that names the denied calls without which some setting is not in force. @return how many they are. */
MAPB_FORK_SAFE int mapb_denied_text(char *text, uint64_t size);

#endif
