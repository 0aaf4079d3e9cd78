/* mapb_forksafe.h - what may be called between fork and the user's function
 *
 * The zygote and the workers run Swift whose every function is @_noLocks, and these functions; nothing else. They use what
 * signal-safety(7) lists, and what glibc's fork() repairs in the child: malloc, stdio, the loader's locks (glibc 2.36,
 * sysdeps/nptl/fork.h and posix/fork.c). See Tests/checks/fork_safe_symbols.txt for the list that the lint step holds them to.
 */
#ifndef MAPB_FORKSAFE_H
#define MAPB_FORKSAFE_H

#include "mapb_layout.h"
#include <sys/types.h>

/* ---- control messages: one SOCK_SEQPACKET packet each, between host and zygote ---- */

enum mapb_control_kind {
    /* host to zygote */
    MAPB_CONTROL_INIT = 1,  /* fds: input memory, engine bell, waiter bell */
    MAPB_CONTROL_LOAD = 2,  /* text: a library that functions live in, to be loaded before workers are forked */
    MAPB_CONTROL_SPAWN = 3, /* slot, generation, size of the output memory; fds: output memory [, stdout, stderr] */
    MAPB_CONTROL_KILL = 4,  /* slot, generation: SIGKILL to its process group */
    /* zygote to host */
    MAPB_CONTROL_HELLO = 16,   /* code: MAPB_PROTOCOL, size: MAPE_VERSION */
    MAPB_CONTROL_SPAWNED = 17, /* slot, generation, pid; or code: an errno */
    MAPB_CONTROL_DIED = 18,    /* slot, generation, code: a wait status */
    MAPB_CONTROL_NOTE = 19     /* code: an enum mape_log_level; text */
};

enum mapb_init_flags {
    MAPB_INIT_PIN = 1,
    MAPB_INIT_DISCARD = 2,
    MAPB_INIT_NO_CORES = 4, /* Workers leave no core files. */
    MAPB_INIT_SANDBOX = 8   /* MAPE_SANDBOX_COMPUTE */
};

typedef struct mapb_control {
    uint32_t kind;
    uint32_t slot;
    uint64_t generation;
    int32_t pid;
    int32_t code;
    uint64_t size;         /* INIT: bytes of the input memory; SPAWN: of the output memory */
    uint64_t memory_limit; /* INIT */
    int32_t nice;          /* INIT */
    uint32_t workers;      /* INIT */
    uint32_t flags;        /* INIT: enum mapb_init_flags */
    int32_t oom;           /* INIT: what is added to oom_score_adj */
    uint64_t growth;       /* INIT: bytes of growth after which a worker is replaced; 0: never */
    uint32_t reserved;
    uint32_t text_size; /* bytes of text, the NUL included */
    char text[4096];
} mapb_control;

#define MAPB_CONTROL_FDS 3

/** Receives one message. @return 1; 0 at end of file or a broken packet; -1 when interrupted or nothing is there. Unused fds
 *  are -1. */
MAPB_FORK_SAFE int mapb_control_receive(int socket, mapb_control *message, int fds[MAPB_CONTROL_FDS], int block);
/** The same, blocking, for callers without arrays. */
MAPB_FORK_SAFE static inline int mapb_control_receive_three(int socket, mapb_control *message, int *a, int *b, int *c) {
    int fds[MAPB_CONTROL_FDS];
    int got = mapb_control_receive(socket, message, fds, 1);
    *a = fds[0];
    *b = fds[1];
    *c = fds[2];
    return got;
}
/** Sends one message. @return 0, or an errno. */
MAPB_FORK_SAFE int mapb_control_send(int socket, const mapb_control *message, const int *fds, int count, int block);

/* ---- the zygote ---- */

/** A child of the zygote. */
typedef struct mapb_child {
    int32_t pid; /* 0: none */
    uint32_t reserved;
    uint64_t generation;
} mapb_child;

/** All state of the zygote process; static, made zero. */
typedef struct mapb_zygote {
    int32_t control;
    int32_t signals; /* signalfd for SIGCHLD */
    int32_t input;
    int32_t bells[2]; /* engine, waiter */
    int32_t pid;      /* The zygote's own. */
    int32_t nice;
    uint32_t workers;
    uint32_t flags;
    int32_t oom;
    uint64_t input_size;
    uint64_t memory_limit;
    uint64_t growth;
    mapb_child children[MAPB_MAX_WORKERS];
    mapb_control message;
    mapb_control answer;
} mapb_zygote;

MAPB_FORK_SAFE mapb_zygote *mapb_zygote_state(void);
MAPB_FORK_SAFE static inline mapb_child *mapb_zygote_child(mapb_zygote *z, uint32_t slot) { return &z->children[slot]; }
MAPB_FORK_SAFE static inline char *mapb_control_text(mapb_control *m) { return m->text; }

/** Default dispositions for every signal, an empty mask but for SIGCHLD, no alternate stack; the descriptor for SIGCHLD.
 *  @return the signalfd, or -1. */
MAPB_FORK_SAFE int mapb_zygote_signals(void);
/** Opens /dev/null for each standard file that is closed: else the next descriptors would be written to by whoever prints. */
MAPB_FORK_SAFE void mapb_fill_standard_files(void);
/** Marks the process: its own group, a reaper of orphans, and one that ends soon after `parent` whatever it does. 0: do not look
 *  at the parent. @return 0, or -1 when the parent is gone already. */
MAPB_FORK_SAFE int mapb_zygote_process(int parent);
/** This process's id. */
MAPB_FORK_SAFE int mapb_process_id(void);
/** Waits until one of two descriptors is readable. @return bit 0: first, bit 1: second; -1 when interrupted. */
MAPB_FORK_SAFE int mapb_wait_two(int first, int second);
/** Empties a signalfd or eventfd. */
MAPB_FORK_SAFE void mapb_drain(int fd);
/** The next child that has ended and is not yet reaped, or 0. It keeps its pid until mapb_reap. */
MAPB_FORK_SAFE int mapb_ended_child(void);
/** Kills what is left of the child's process group, reaps it. @return its wait status. */
MAPB_FORK_SAFE int mapb_reap(int pid);
/** SIGKILL to a process group. */
MAPB_FORK_SAFE void mapb_kill_group(int pid);
/** SIGKILL to every child of the zygote that comes from a worker which is gone. with_all: from any worker, and to the workers. @return how many there were; -1 when the kernel does not list children. */
MAPB_FORK_SAFE int mapb_kill_strays(const mapb_zygote *zygote, int with_all);
/** Waits for a signal that a child has ended, at most 10 ms. @return 1 while there are children; else 0. */
MAPB_FORK_SAFE int mapb_wait_children(int signals);
/** fork(2) as glibc has it. @return pid, 0 in the child, or a negative errno. */
MAPB_FORK_SAFE int mapb_fork(void);
MAPB_FORK_SAFE _Noreturn void mapb_exit(int code);
MAPB_FORK_SAFE void mapb_close(int fd);

/* ---- a worker's beginnings ---- */

/** Its own group; killed with the zygote; signals as a program expects them; standard descriptors; limits. */
MAPB_FORK_SAFE void mapb_worker_process(const mapb_zygote *zygote, uint32_t slot, int out, int err);
/** Limits of a worker: memory, core files, what the kernel ends first, and the mark by which its descendants are known. */
MAPB_FORK_SAFE void mapb_worker_limits(const mapb_zygote *zygote);
/** Closes every descriptor above 2 that is not among `keep`; with marked_only, only those marked close-on-exec. */
MAPB_FORK_SAFE void mapb_close_others(const int *keep, int count, int marked_only);
/** Enters MAPE_SANDBOX_COMPUTE, for good. @return 0; else an errno, with a text of at most 128 bytes in `message`. */
MAPB_FORK_SAFE int mapb_enter_sandbox(const int *keep, int count, char message[128]);
/** Whether this kernel can do it: NULL, or what is missing. */
MAPB_FORK_SAFE const char *mapb_sandbox_lacks(void);
/** The version of Landlock that this kernel has; 0: none. */
MAPB_FORK_SAFE int mapb_landlock_version(void);
/** Bytes of this process's private memory: RssAnon and VmSwap of /proc/self/status. 0: not to be had. */
MAPB_FORK_SAFE uint64_t mapb_private_bytes(void);
/** Maps a whole shared memory. @return NULL on failure. */
MAPB_FORK_SAFE uint8_t *mapb_map_shared(int fd, uint64_t size, int writable);
/** Zeroed private memory. @return NULL on failure. */
MAPB_FORK_SAFE void *mapb_private_memory(uint64_t size);
/** Installs the handlers that describe a crash in the output memory before they let it happen (forksafe_crash.c). For workers
 *  only, before any code of the user. Leaves signals alone that have a handler or are ignored. */
MAPB_FORK_SAFE void mapb_crash_watch(uint8_t *output);
/** Has the unwinder set itself up, so that it need not in a handler. */
MAPB_FORK_SAFE void mapb_crash_prepare(void);
/** Says that this process is a worker, so that the host's entry points refuse. */
MAPB_FORK_SAFE void mapb_become_worker(void);

/** Takes part in the barriers of mapb_barrier: membarrier(2), MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED. @return 1, or 0 when the
 *  kernel does not have it. */
MAPB_FORK_SAFE int mapb_join_barriers(void);
/** The monotonic clock in ns. */
MAPB_FORK_SAFE int64_t mapb_clock(void);
/** The processor this thread runs on. */
MAPB_FORK_SAFE uint32_t mapb_processor(void);
/** Moves this process to the n-th of the processors it may run on, counted round. It may leave it again. */
MAPB_FORK_SAFE void mapb_go_home(uint32_t n);
/** Moves this process off a processor, if it may run on others. */
MAPB_FORK_SAFE void mapb_step_aside(uint32_t processor);
MAPB_FORK_SAFE void mapb_futex_wait(const uint64_t *word, uint32_t expected);
MAPB_FORK_SAFE void mapb_ring_bell(int fd);
/** Writes a text and a line end to standard error. */
MAPB_FORK_SAFE void mapb_say(const char *text, uint64_t size);
/** Opens a bell's writing end anew, and closes the one given: its flags are then this process's own, so that no worker can make
 *  another's ring block. @return the new one; the one given where there is no /proc. */
MAPB_FORK_SAFE int mapb_own_bell(int fd);
MAPB_FORK_SAFE void mapb_copy(void *to, const void *from, uint64_t size);
MAPB_FORK_SAFE uint64_t mapb_length(const char *text, uint64_t limit);
MAPB_FORK_SAFE int mapb_same_text(const char *a, const char *b);
/** FNV-1a, 64 bit (Fowler, Noll, Vo; draft-eastlake-fnv). */
MAPB_FORK_SAFE uint64_t mapb_hash(const char *text);

/* ---- loading code ---- */

/** Loads a library. @return 0, or MAPE_E_LOAD with the loader's text in message. */
MAPB_FORK_SAFE int mapb_load_library(const char *path, char *message, uint64_t size);
/** The build id (ELF note NT_GNU_BUILD_ID) of a struct dl_phdr_info. @return its size, 0 when there is none. */
MAPB_FORK_SAFE uint32_t mapb_read_build_id(const void *object, uint8_t out[MAPB_BUILD_ID]);
/** Finds a piece of code in this process. `input` is the pool's input memory, for texts.
 *  @return 0 and the address (NULL for NONE), or MAPE_E_LOAD with a text in message. */
MAPB_FORK_SAFE int mapb_find_code(const uint8_t *input, const mapb_place *place, void **out, char *message,
                                  uint64_t size);

/* ---- a worker and its task ---- */

/** A function as a worker holds it. */
typedef struct mapb_loaded {
    void *run;
    void *cleanup;
    void *state;
    void *native; /* A typed function, prepared; or NULL. */
    uint32_t is_range;
    uint32_t ready;
} mapb_loaded;

enum mapb_task_mode { MAPB_MODE_NONE = 0, MAPB_MODE_ITEM = 1, MAPB_MODE_RANGE = 2, MAPB_MODE_SETUP = 3 };

/** What one call of a worker function sees, and the worker itself: there is one of it in a worker process. */
struct mape_task {
    const uint8_t *input; /* The pool's input memory. */
    uint8_t *output;      /* This worker's output memory. */
    const mapb_pool_head *head;
    const mapb_inbox *inbox;
    mapb_outbox *outbox;
    const mapb_job *job;
    mapb_reply *reply;
    mapb_loaded **functions; /* A table per MAPB_FUNCTIONS_PER_TABLE functions, or NULL while there is none. */
    uint64_t globals;
    uint64_t hole_cursor, hole_limit;
    uint64_t wild_cursor, wild_limit;
    uint64_t ticket;
    int64_t crowded_at;  /* When it last found itself on the processor of the host's waiting thread. */
    uint64_t bell_epoch; /* The doorbell's epoch that was already rung for. */
    uint64_t first;      /* The range: index of its first item, */
    uint64_t count;      /* how many, */
    uint64_t part;       /* where in the request the running range begins, */
    uint64_t part_count; /* how many items it has, */
    uint64_t position;   /* which one is running (count of those begun, in a range function), */
    uint64_t ended;      /* how many are recorded in the reply. */
    uint64_t result;     /* The running item's result: offset, */
    uint64_t result_size;
    uint32_t slot;
    uint32_t mode;
    int32_t bells[2];
    uint32_t has_result;
    uint32_t has_range_result;
    uint32_t out_of_memory;
    uint32_t failed;
    int32_t fail_code;
    uint32_t fail_size;  /* Bytes of fail_text. */
    uint32_t begun;      /* A range function has used mape_task_begin. */
    uint64_t growth;     /* Bytes of growth after which to tell the host; 0: never. */
    uint64_t grown_from; /* Private memory when the first item began. */
    int64_t grown_look;  /* When to look again. */
    uint32_t logs_here;  /* 1: mape_task_log writes to standard error, as nobody reads the message ring (a replay). */
    char fail_text[MAPB_TEXT];
};

MAPB_FORK_SAFE mape_task *mapb_worker_task(void);
/** 0: run, 1: setup, 2: cleanup. */
MAPB_FORK_SAFE static inline const mapb_place *mapb_function_place(const mapb_function *f, int which) {
    return which == 0 ? &f->run : which == 1 ? &f->setup : &f->cleanup;
}
MAPB_FORK_SAFE static inline char *mapb_task_text(mape_task *t) { return t->fail_text; }

/* A user's function is code the compiler cannot see: these are the only places that call it. */

MAPB_FORK_SAFE static inline int mapb_call_run(void *run, mape_task *task, void *state, const void *input,
                                               size_t size) {
    return ((mape_run_fn)run)(task, state, input, size);
}
MAPB_FORK_SAFE static inline int mapb_call_range(void *run, mape_task *task, void *state, const mape_range *range) {
    return ((mape_run_range_fn)run)(task, state, range);
}
MAPB_FORK_SAFE static inline int mapb_call_setup(void *setup, mape_task *task, const void *data, size_t size,
                                                 void **out) {
    return ((mape_setup_fn)setup)(task, data, size, out);
}
MAPB_FORK_SAFE static inline void mapb_call_cleanup(void *cleanup, mape_task *task, void *state) {
    ((mape_cleanup_fn)cleanup)(task, state);
}

/** Ends a worker that was asked to: what the user's libraries wrote to stdio is flushed first. */
MAPB_FORK_SAFE _Noreturn void mapb_worker_exit(void);

#endif
