/* mapb_host.h - what only the host calls */
#ifndef MAPB_HOST_H
#define MAPB_HOST_H

#include "mapb_layout.h"

/* ---- which process is this? ---- */

enum mapb_role { MAPB_ROLE_HOST = 0, MAPB_ROLE_WORKER = 1 };
extern int mapb_process_role;
static inline int mapb_is_worker(void) { return mapb_process_role == MAPB_ROLE_WORKER; }
/** Remembers this process as the host, in a page that children of it find empty (MADV_WIPEONFORK), and where its addresses end.
 *  @return 0 or an errno, and in `call` what failed: static text. */
int mapb_remember_host(const char **call);
/** 1 when this process is a forked child of the one that was remembered. */
int mapb_is_forked_child(void);

/* ---- memory ---- */

/** Where addresses end that a process gets without asking for higher ones, and where those of this process do. */
extern const uint64_t mapb_common_end;
extern uint64_t mapb_address_end;
static inline uint64_t mapb_address_end_now(void) { return mapb_peek(&mapb_address_end); }
/** Finds the latter out. */
void mapb_find_address_end(void);

/** A memfd of a size, sealed against shrinking and growing, and against other seals. @return descriptor, or a negative errno, and in
 *  `call` what failed: static text. */
int mapb_shared_create(const char *name, uint64_t size, const char **call);
/** A mapping without rights (mprotect(2) gives them) whose pages come as they are touched, also in a host that has locked all memory to
 *  come. flags: MAP_SHARED or MAP_PRIVATE, ... @return NULL with errno on failure. */
void *mapb_map_unlocked(uint64_t size, int flags, int fd);
/** Maps it for the host, not inherited by forks. @return NULL with errno on failure. */
uint8_t *mapb_shared_map_host(int fd, uint64_t size);
/** A second descriptor of the same memory, for those who may only read it: a mapping of it can never become writable. (Not the
 *  seal F_SEAL_FUTURE_WRITE: with it the host could not give pages back.) @return descriptor, or a negative errno. */
int mapb_shared_reader(int fd);
/** Gives pages back to the system; they read as zeros afterwards. */
void mapb_shared_discard(uint8_t *at, uint64_t size);
void mapb_shared_unmap(uint8_t *at, uint64_t size);

/* ---- processes ---- */

typedef struct mapb_spawned {
    int pid;
    int pidfd;
    int how;    /* Once it has ended: si_code of waitid(2), 0 when somebody else has reaped it; */
    int status; /* and si_status. */
} mapb_spawned;

/** posix_spawn of a zygote with the control socket as descriptor 3 and no other above 2; default signals, own group.
 *  @return 0 or an errno, and in `call` what failed: static text. */
int mapb_spawn_zygote(const char *path, char *const *argv, char *const *env, int control, mapb_spawned *out,
                      const char **call);
/** A pidfd for out->pid, by which signals can be sent. @return 0 or an errno, and in `call` what failed. */
int mapb_child_watch(mapb_spawned *out, const char **call);
/** fork(2); the child never returns: it becomes a zygote. env: its environment, or NULL. @return 0 or an errno. */
int mapb_fork_zygote(int control, char *const *env, mapb_spawned *out, const char **call);
/** In Swift: the zygote's loop. */
_Noreturn void mapb_zygote_run(int control, int parent);
/** Waits for the zygote to end, at most so long. @return 1 ended (and reaped), 0 not yet. */
int mapb_child_wait(mapb_spawned *zygote, int timeout_ms);
void mapb_child_kill(mapb_spawned *zygote);

/** A thread of 8 MiB stack that blocks all signals and is of no real-time class. @return 0 or an errno. */
int mapb_start_thread(void *(*run)(void *), void *context, uint64_t *out_thread);
/** Waits for its end. `thread` is no thread any more afterwards. */
void mapb_join_thread(uint64_t thread);

/* ---- waiting and waking ---- */

int mapb_notifier_open(void);
/** Copies a reply out of memory that its worker may be writing: each word is read exactly once. */
static inline mapb_reply mapb_read_reply(const mapb_reply *reply) {
    union {
        uint64_t words[sizeof(mapb_reply) / 8];
        mapb_reply reply;
    } copy;
    for (size_t i = 0; i < sizeof copy.words / 8; i++) copy.words[i] = mapb_peek((const uint64_t *)reply + i);
    return copy.reply;
}
/** A pipe whose ends never block: [0] is read, [1] is written. @return 0, or an errno. */
int mapb_bell_open(int out[2]);
/** Reads what is in a bell, at most as much as a pipe holds: whoever rings without end does not keep the reader. */
void mapb_bell_drain(int fd);
void mapb_notifier_notify(int fd);
int mapb_socket_pair(int out[2]);
/** A pipe whose read end does not block. @return 0 or an errno. */
int mapb_pipe(int out[2]);
int mapb_poller_open(void);
int mapb_poller_add(int epoll, int fd, uint64_t tag);
void mapb_poller_change(int epoll, int fd, uint64_t tag, int writable);
void mapb_poller_remove(int epoll, int fd);
/** Waits for at most `count` ready descriptors; timeout in ns, negative: for ever. @return how many tags were stored, or a
 *  negative errno. */
int mapb_poller_wait(int epoll, uint64_t *tags, int count, int64_t timeout_ns);
/** Sleeps for 10 ms. */
void mapb_nap(void);
/** Waits until a descriptor is readable; timeout in ns, negative: for ever. */
void mapb_wait_readable(int fd, int64_t timeout_ns);
/** A full memory barrier on every processor that runs a worker (membarrier(2)). @return 1, or 0 when there is none. */
int mapb_barrier(void);
void mapb_word_wake(const uint64_t *word);
/** A futex of this process only. */
void mapb_word_wait_local(const uint32_t *word, uint32_t expected, int64_t timeout_ns);
void mapb_word_wake_local(const uint32_t *word);
int64_t mapb_clock(void);

/* ---- finding code ---- */

/** GONE: in a library whose file was removed. */
enum mapb_located {
    MAPB_LOCATED_NOWHERE = 0,
    MAPB_LOCATED_LIBRARY = 1,
    MAPB_LOCATED_PROGRAM = 2,
    MAPB_LOCATED_GONE = 3
};

/** Where an address of code lies: its file, the offset from its load address and its build id.
 *  @return an enum mapb_located. path holds at least 4096 bytes; of one that is gone it has the file that was. */
int mapb_locate(const void *address, mapb_place *out, char *path);
/** The path of the file that this library was loaded from. @return 0 or an errno. */
int mapb_own_path(char *path, uint64_t size);

/* ---- files ---- */

/** A descriptor that stands for a folder, to create files in. @return descriptor, or a negative errno. */
int mapb_open_folder(const char *path);
/** Creates a file that was not there, readable for its owner alone; never follows a link. @return descriptor, or a negative errno. */
int mapb_create_file(int folder, const char *name);
void mapb_remove_file(int folder, const char *name);
/* ---- proxies ---- */

/** A function pointer of a prepared call's type, whose calls go to `object`, a Proxy. @return NULL when all are in use. */
mape_native_fn mapb_proxy_make(void *prepared, void *object);
/** Begins to take a proxy away. @return its object; NULL when it is none, or another thread does it. */
void *mapb_proxy_claim(mape_native_fn proxy);
/** Leaves it after all. */
void mapb_proxy_keep(mape_native_fn proxy);
/** Waits until no call of it runs, but those that were left in on_error. */
void mapb_proxy_await(mape_native_fn proxy);
/** Ends it: the pointer may be another's from now on. */
void mapb_proxy_free(mape_native_fn proxy);
/** Cores in this process's affinity mask. */
int mapb_cores(void);
/** A resource limit's current value, UINT64_MAX when there is none. which: 0 address space, 1 file size. */
uint64_t mapb_limit(int which);
/** Bytes of memory that this machine has, swap included. */
uint64_t mapb_memory(void);
char **mapb_environment(void);
/** A signal's name without SIG, or NULL. */
const char *mapb_signal_name(int number);
/** What mape_status_string answers: static text. */
const char *mapb_status_text(int status);
/** "", for ever. */
static inline const char *mapb_empty_text(void) { return ""; }

#endif
