/* mapb_forksafe.h - what may be called between fork and the user's function
 *
 * The zygote and the workers run Swift whose every function is @_noLocks, and these functions; nothing else. They use what
 * signal-safety(7) lists, and what glibc's fork() repairs in the child: malloc, stdio, the loader's locks (glibc 2.36,
 * sysdeps/nptl/fork.h and posix/fork.c). See Tests/checks/fork_safe_symbols.txt for the list that the lint step holds them to.
 */
#ifndef MAPB_FORKSAFE_H
#define MAPB_FORKSAFE_H

#include "mapb_floating.h"
#include "mapb_layout.h"
#include <sys/types.h>

/** Exit codes of zygotes, workers, and of what they start, that the host or people may see. */
enum mapb_exit {
    MAPB_EXIT_RETIRED =
        69, /* A worker whose process is not what it was, by no fault of what is still to be done; the log says why. */
    MAPB_EXIT_STRAY = 70, /* A process that a function made, and that came back from it. */
    MAPB_EXIT_NO_MEMORY = 71,
    MAPB_EXIT_DENIED = 73, /* A zygote to which a system call is denied that it needs. */
    MAPB_EXIT_NO_SANDBOX =
        74 /* A worker that cannot enter its sandbox; the number of the step is added (mapb_sandbox_failed). */
};

/** Which file a descriptor is of: st_dev, st_ino. */
typedef struct mapb_inode {
    uint64_t device, number;
} mapb_inode;

/* ---- control messages: one SOCK_SEQPACKET packet each, between host and zygote ---- */

enum mapb_control_kind {
    /* host to zygote */
    MAPB_CONTROL_INIT = 1, /* fds: input memory, engine bell, waiter bell */
    MAPB_CONTROL_LOAD =
        2, /* slot: its number; text: a mapb_file, then the path of a library, to be loaded before workers are forked */
    MAPB_CONTROL_SPAWN = 3, /* slot, generation, size of the output memory; fds: output memory [, stdout, stderr] */
    MAPB_CONTROL_KILL = 4,  /* slot, generation: SIGKILL to its process group */
    /* zygote to host */
    MAPB_CONTROL_HELLO = 16,   /* code: MAPB_PROTOCOL, size: MAPE_VERSION, pid: how many threads the zygote has */
    MAPB_CONTROL_SPAWNED = 17, /* slot, generation, pid; or code: an errno */
    MAPB_CONTROL_DIED = 18,    /* slot, generation, code: a wait status */
    MAPB_CONTROL_NOTE = 19,    /* code: an enum mape_log_level; text */
    MAPB_CONTROL_LOADED =
        20 /* slot: a library's number; code: an enum mapb_change, other than 0 the zygote ends with it */
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
    int32_t pid;   /* 0: none */
    int32_t pidfd; /* -1 (or 0): it could not be had */
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
    int32_t epoll;       /* Control, signals and pidfds of workers. */
    uint32_t looks_left; /* How often to look for strays again, whether or not a signal comes. */
    uint32_t unwatched;  /* Workers without a pidfd. */
    uint32_t threads;    /* When it was started. */
    uint64_t input_size;
    uint64_t memory_limit;
    uint64_t growth;
    uint64_t files_soft; /* The soft limit of descriptors, when it was raised; else 0. */
    mapb_child children[MAPB_MAX_WORKERS];
    mapb_control message;
    mapb_control answer;
} mapb_zygote;

MAPB_FORK_SAFE mapb_zygote *mapb_zygote_state(void);
MAPB_FORK_SAFE static inline mapb_child *mapb_zygote_child(mapb_zygote *z, uint32_t slot) { return &z->children[slot]; }
MAPB_FORK_SAFE static inline char *mapb_control_text(mapb_control *m) { return m->text; }

/* ---- system calls ---- */

/** Those that zygote and workers cannot live without, that also the host cannot, or that something is not done without. */
enum mapb_calls_of { MAPB_CALLS_ZYGOTE = 2, MAPB_CALLS_NEEDED = 3, MAPB_CALLS_WANTED = 4 };
/** Tries each with arguments by which it does nothing, and writes the names of those that a filter (seccomp) denies to this process,
 *  with commas between them. @return how many they are. */
MAPB_FORK_SAFE int mapb_calls_denied(enum mapb_calls_of which, char *text, uint64_t size);
/** A text for the log that names those that something is not done without. @return how many they are. */
MAPB_FORK_SAFE int mapb_denied_text(char *text, uint64_t size);

/** Default dispositions for every signal, but for those of a terminal to who prints or reads in the background, which are
 *  ignored; an empty mask but for SIGCHLD, no alternate stack; the descriptor for SIGCHLD.
 *  @return the signalfd, or -1. */
MAPB_FORK_SAFE int mapb_zygote_signals(void);
/** Opens /dev/null for each standard file that is closed: else the next descriptors would be written to by whoever prints. */
MAPB_FORK_SAFE void mapb_fill_standard_files(void);
/** Marks the process: its own group, a reaper of orphans, and one that ends soon after `parent` whatever it does. 0: do not look
 *  at the parent. @return 0, or -1 when the parent is gone already. */
MAPB_FORK_SAFE int mapb_zygote_process(int parent);
/** Gives the calling thread the usual class of scheduling, if it has a real-time one. */
MAPB_FORK_SAFE void mapb_leave_real_time(void);
/** This process's id. */
MAPB_FORK_SAFE int mapb_process_id(void);
/** Makes the set of what the zygote waits for. @return 0, or -1. */
MAPB_FORK_SAFE int mapb_zygote_open(mapb_zygote *zygote);
/** A message; SIGCHLD, or time to look again; the end of a worker. */
enum mapb_zygote_event {
    MAPB_ZYGOTE_NOTHING = 0,
    MAPB_ZYGOTE_CONTROL = 1,
    MAPB_ZYGOTE_CHILD = 2,
    MAPB_ZYGOTE_WORKER = 3
};
/** Waits for one of them. @return an enum mapb_zygote_event. */
MAPB_FORK_SAFE int mapb_zygote_wait(mapb_zygote *zygote);
/** Takes in a worker that was forked: its end is seen by pidfd, whatever other threads and libraries do with SIGCHLD. */
MAPB_FORK_SAFE void mapb_zygote_watch(mapb_zygote *zygote, mapb_child *child, int pid);
/** Takes an ended worker out. */
MAPB_FORK_SAFE void mapb_zygote_unwatch(mapb_zygote *zygote, mapb_child *child);
/** Whether a worker's pidfd says that it has ended. */
MAPB_FORK_SAFE int mapb_has_ended(const mapb_child *child);
/** In a worker: closes what is the zygote's, and takes back what it did to itself. */
MAPB_FORK_SAFE void mapb_zygote_leave(const mapb_zygote *zygote);
/** Sees that children which end can be waited for, whatever a library has done to SIGCHLD. */
MAPB_FORK_SAFE void mapb_zygote_mind_children(void);
/** How many threads this process has; 0: not to be had. */
MAPB_FORK_SAFE uint32_t mapb_thread_count(void);

/** What a library may change in the process that loads it, and a zygote cannot bear, or not hand down. */
enum mapb_change {
    MAPB_CHANGE_NONE = 0,
    MAPB_CHANGE_THREADS = 1,
    MAPB_CHANGE_SIGNALS = 2,
    MAPB_CHANGE_CHILDREN = 3,
    MAPB_CHANGE_FILES = 4
};
typedef struct mapb_surroundings {
    uint64_t mask; /* Blocked signals. */
    uint64_t child_handler, continue_handler;
    uint32_t child_flags, threads, has_children, reserved;
    uint64_t files[6]; /* The inodes of the zygote's own. */
} mapb_surroundings;
/** Looks at what libraries may change. `zygote`: NULL in a worker. */
MAPB_FORK_SAFE void mapb_look_around(const mapb_zygote *zygote, mapb_surroundings *out);
/** What has changed since then: an enum mapb_change. */
MAPB_FORK_SAFE int mapb_what_changed(const mapb_zygote *zygote, const mapb_surroundings *before);
/** Ends the zygote with all that it has made. */
MAPB_FORK_SAFE _Noreturn void mapb_zygote_resign(void);
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
/** Closes every descriptor above 2 that is not among `keep`; with marked_only, only those marked close-on-exec. @return 0 or an errno. */
MAPB_FORK_SAFE int mapb_close_others(const int *keep, int count, int marked_only);
/** Enters MAPE_SANDBOX_COMPUTE, for good. @return 0; else the code to exit with, and a text of at most 128 bytes in `message`. */
MAPB_FORK_SAFE int mapb_enter_sandbox(const int *keep, int count, char message[128]);
/** What has failed in a worker that exited with that code. NULL: not the sandbox. */
MAPB_FORK_SAFE const char *mapb_sandbox_failed(int code);
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
/** Installs the handlers that describe a crash in the output memory before they let it happen (fork_crash.c). For workers
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
 *  another's ring block. Its number is one that functions do not come near. @return it; *out: by what it is known. */
MAPB_FORK_SAFE int mapb_own_bell(int fd, mapb_inode *out);
/** Whether it is still there: a function may have closed it, and its number may be another file's. */
MAPB_FORK_SAFE int mapb_has_bell(int fd, const mapb_inode *bell);
/** Rings it. @return 1; 0: it is not there. */
MAPB_FORK_SAFE int mapb_ring_own_bell(int fd, const mapb_inode *bell);
MAPB_FORK_SAFE void mapb_copy(void *to, const void *from, uint64_t size);
/** How many of a text's first `size` bytes are whole: less by at most 3 when they end inside a character of UTF-8. Bytes that are no
 *  UTF-8 stay. */
MAPB_FORK_SAFE uint64_t mapb_whole(const char *text, uint64_t size);
/** Bytes of a text without its NUL, at most `limit`: a longer one is cut to whole characters. */
MAPB_FORK_SAFE uint64_t mapb_length(const char *text, uint64_t limit);
/** After snprintf into `room` bytes answered `wanted`: has a text that did not fit end with a whole character. */
MAPB_FORK_SAFE void mapb_cut(char *text, uint64_t room, int wanted);
MAPB_FORK_SAFE int mapb_same_text(const char *a, const char *b);
/** FNV-1a, 64 bit (Fowler, Noll, Vo; draft-eastlake-fnv). */
MAPB_FORK_SAFE uint64_t mapb_hash(const char *text);

/* ---- loading code ---- */

/** Looks which file lies at a path. Leaves `out->known` 0 when there is no regular one. */
MAPB_FORK_SAFE void mapb_identify(const char *path, mapb_file *out);
/** Whether both say the same of a path: the same file in the same state, or the same build; or both nothing. */
MAPB_FORK_SAFE int mapb_is_same_file(mapb_file a, mapb_file b);
/** Loads a library: the file that was registered, or none. `file`: NULL: whatever lies at the path.
 *  @return 0, or MAPE_E_LOAD with the reason in message. */
MAPB_FORK_SAFE int mapb_load_library(const char *path, const mapb_file *file, char *message, uint64_t size);
/** The file and the path in a LOAD message; false when it is none. */
MAPB_FORK_SAFE int mapb_load_named(const mapb_control *message, char *text, uint64_t size);
/** The build id (ELF note NT_GNU_BUILD_ID) of a struct dl_phdr_info. @return its size, 0 when there is none. */
MAPB_FORK_SAFE uint32_t mapb_read_build_id(const void *object, uint8_t out[MAPB_BUILD_ID]);
/** Finds a piece of code in this process. `input` is the pool's input memory, for texts.
 *  @return 0 and the address (NULL for NONE), or MAPE_E_LOAD with a text in message. */
MAPB_FORK_SAFE int mapb_find_code(const uint8_t *input, const mapb_place *place, void **out, char *message,
                                  uint64_t size);

/* ---- what functions leave behind: fork_state.c ---- */

typedef struct mapb_own mapb_own;

/** Notes the state that the worker begins with. */
MAPB_FORK_SAFE void mapb_state_begin(void);
/** Once more, after a module, in a worker that has done so before. */
MAPB_FORK_SAFE void mapb_state_again(void);
/** After a setup: *out is what it left to its function alone; NULL: nothing. The rest is for all functions from now on. */
MAPB_FORK_SAFE void mapb_state_setup_ended(mapb_own **out);
/** While a worker waits, after a function has run: one look at what the next might find changed. @return whether there was one to do. */
MAPB_FORK_SAFE int mapb_state_look(void);
/** Before another function than the last: makes the process what its setup left, NULL: what the worker began with. Not `is_suspect`:
 *  nothing has had time for a system call since another was entered.
 *  @return NULL, or what cannot be made so again. */
MAPB_FORK_SAFE const char *mapb_state_enter(const mapb_own *own, int is_suspect);
/** The same, where the functions since have shared that state, and had no time for a system call. */
MAPB_FORK_SAFE void mapb_state_enter_lightly(const mapb_own *own);
/** Before each range: floating point, errno. */
MAPB_FORK_SAFE void mapb_state_range(const mapb_own *own);
/** Before a worker sleeps: timers of a function are not to end it while it has nothing to do. */
MAPB_FORK_SAFE void mapb_state_idle(void);

/* ---- a worker and its task ---- */

/** A function as a worker holds it. */
typedef struct mapb_loaded {
    void *run;
    void *cleanup;
    void *state;
    void *native;  /* A typed function, prepared; or NULL. */
    mapb_own *own; /* What its setup left of the process's state; NULL: what the worker began with. */
    uint32_t is_range;
    uint32_t ready;
} mapb_loaded;

enum mapb_task_mode { MAPB_MODE_NONE = 0, MAPB_MODE_ITEM = 1, MAPB_MODE_RANGE = 2, MAPB_MODE_SETUP = 3 };

/** What one call of a worker function sees, and the worker itself: there is one of it in a worker process. */
struct mape_task {
    const uint32_t *alone; /* *alone is 1 in the worker, and 0 in a process that was forked from it. */
    const uint8_t *input;  /* The pool's input memory. */
    uint8_t *output;       /* This worker's output memory. */
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
    int32_t pid;
    uint32_t is_suspect; /* A function has run long enough to have changed the process's state. */
    uint32_t entered;    /* Id of the function whose state the process is in, plus 1; 0: none's. */
    const mapb_own *own; /* That state. */
    int32_t bells[2];
    mapb_inode bell_files[2];
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

/** The task of this worker, which from here on is one process: what it forks does not have its output memory. NULL on failure. */
MAPB_FORK_SAFE mape_task *mapb_worker_task(uint8_t *output, uint64_t size);
/** Whether this is the worker, and not a process that was forked from it. One that was made by vfork(2) shares its memory, and is
 *  known by its process id alone. */
MAPB_FORK_SAFE static inline int mapb_is_alone(const mape_task *t) { return *t->alone != 0; }
/** The end of such a process, which would go on as a second worker. */
MAPB_FORK_SAFE _Noreturn void mapb_stray_exit(void);
/** Says that a worker gives up its place for the sake of `what`. */
MAPB_FORK_SAFE void mapb_retire_text(char text[MAPB_TEXT], const char *what);
/** The end of one, and of the worker in whose memory it is. */
MAPB_FORK_SAFE _Noreturn void mapb_end_worker(int pid);
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

/* ---- exits: fork_exit.c ---- */

/** Empties all streams that are open: what stands in them is another process's to write, or to read. */
MAPB_FORK_SAFE void mapb_purge_streams(void);
/** Writes out what stands in them. */
MAPB_FORK_SAFE void mapb_flush_streams(void);
/** In a zygote, before it loads anything. @return 1 when exit cannot be used in it and in its workers: see there. */
MAPB_FORK_SAFE int mapb_exit_prepare(void);
/** In a worker, before any code of the user: streams begin empty, and exit, quick_exit and pthread_exit run no handler of the host. */
MAPB_FORK_SAFE void mapb_exit_watch(void);
/** Ends a worker: what its functions wrote to stdio is flushed first. */
MAPB_FORK_SAFE _Noreturn void mapb_worker_exit(int code);

#endif
