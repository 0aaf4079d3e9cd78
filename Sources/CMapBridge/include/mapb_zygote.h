/* mapb_zygote.h - the zygote: its state, what it waits for, and what becomes of the processes below it
 *
 * A process with one thread, from which workers are forked. It keeps a list of them, watches for their ends, and ends what they leave
 * behind. A system's folder (linux/) implements all of it.
 */
#ifndef MAPB_ZYGOTE_H
#define MAPB_ZYGOTE_H

#include "mapb_control.h"

/** Exit codes of zygotes, workers, and of what they start, that the host or people may see. */
enum mapb_exit {
    MAPB_EXIT_RETIRED =
        69, /* A worker that retires because its process is not as it must be; no waiting item is to blame, and the log says why. */
    MAPB_EXIT_STRAY = 70, /* A process that a function made, and that came back from it. */
    MAPB_EXIT_NO_MEMORY = 71,
    MAPB_EXIT_DENIED = 73, /* A zygote that needs a system call which a filter denies. */
    MAPB_EXIT_NO_SANDBOX =
        74 /* A worker that cannot enter its sandbox; the number of the step is added (mapb_sandbox_failed). */
};

/** A child of the zygote. */
typedef struct mapb_child {
    int32_t pid;   /* 0: none */
    int32_t watch; /* -1 (or 0): it could not be opened */
    uint64_t generation;
} mapb_child;

/** All state of the zygote process; static, made zero. */
typedef struct mapb_zygote {
    int32_t control;
    int32_t signals; /* Readable once SIGCHLD came. */
    int32_t input;
    int32_t bells[2]; /* engine, waiter */
    int32_t pid;      /* The zygote's own. */
    int32_t nice;
    uint32_t workers; /* Places that have had a worker are below this. */
    uint32_t flags;
    int32_t oom;
    int32_t poller;       /* Control, signals and watches of workers. */
    uint32_t checks_left; /* How often to look for strays again, whether or not a signal comes. */
    uint32_t unwatched;   /* Workers without a watch. */
    uint32_t threads;     /* When it was started. */
    uint32_t depth;       /* Of its pool: 1 for the pool of a program. */
    uint32_t line;        /* mapb_process_number of the host. */
    int32_t mark;         /* The worker that has started it, by the mark that it carries; 0: none. */
    uint64_t input_size;
    uint64_t memory_limit;
    uint64_t growth;
    int32_t cancel_signal;
    uint64_t files_soft; /* The soft limit of descriptors, when it was raised; else 0. */
    mapb_child children[MAPB_MAX_WORKERS];
    mapb_control message;
    mapb_control answer;
} mapb_zygote;

MAPB_FORK_SAFE mapb_zygote *mapb_zygote_state(void);
/** In the zygote of a worker's pool, which was forked from that worker: forgets the zygote that the worker was forked from. */
MAPB_FORK_SAFE void mapb_zygote_afresh(void);
MAPB_FORK_SAFE static inline mapb_child *mapb_zygote_child(mapb_zygote *z, uint32_t slot) { return &z->children[slot]; }
/* Swift cannot tell where they are without having it all. */
MAPB_FORK_SAFE static inline mapb_control *mapb_zygote_message(mapb_zygote *z) { return &z->message; }
MAPB_FORK_SAFE static inline mapb_control *mapb_zygote_answer(mapb_zygote *z) { return &z->answer; }

/* ---- the process ---- */

/** Default dispositions for every signal, but for those of a terminal to who prints or reads in the background, which are
 *  ignored; an empty mask but for SIGCHLD, no alternate stack; the descriptor for SIGCHLD.
 *  @return that, a notifier, or -1. */
MAPB_FORK_SAFE int mapb_zygote_signals(void);
/** Opens /dev/null for each standard file that is closed: otherwise code that prints would write to the next descriptors. */
MAPB_FORK_SAFE void mapb_fill_standard_files(void);
/** Makes a descriptor this process's standard error. */
MAPB_FORK_SAFE void mapb_print_to(int fd);
/** Marks the process: its own group, a reaper of orphans, and one that ends soon after `parent` whatever it does. 0: do not look
 *  at the parent. @return 0, or -1 when the parent is gone already. */
MAPB_FORK_SAFE int mapb_zygote_process(int parent);
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
/** Takes in a worker that was forked: its end is seen by a watch, whatever other threads and libraries do with SIGCHLD. */
MAPB_FORK_SAFE void mapb_zygote_watch(mapb_zygote *zygote, mapb_child *child, int pid);
/** Removes an ended worker. */
MAPB_FORK_SAFE void mapb_zygote_unwatch(mapb_zygote *zygote, mapb_child *child);
/** Tells a worker to look at its inbox.interrupt: fork_interrupt.c. */
MAPB_FORK_SAFE void mapb_interrupt_worker(int pid);
/** Whether a worker's watch says that it has ended. */
MAPB_FORK_SAFE int mapb_has_ended(const mapb_child *child);
/** In a worker: closes the zygote's descriptors, and undoes what the zygote changed in its own process. */
MAPB_FORK_SAFE void mapb_zygote_leave(const mapb_zygote *zygote);
/** Makes sure that the zygote can wait for children, whatever a library has done to SIGCHLD. */
MAPB_FORK_SAFE void mapb_zygote_mind_children(void);

/* ---- what a library may do to it ---- */

/** What a library may change in the process that loads it and makes a zygote unfit, or what workers cannot inherit from it. */
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
/** Notes what libraries may change. `zygote`: NULL in a worker. */
MAPB_FORK_SAFE void mapb_look_around(const mapb_zygote *zygote, mapb_surroundings *out);
/** What has changed since then: an enum mapb_change. */
MAPB_FORK_SAFE int mapb_what_changed(const mapb_zygote *zygote, const mapb_surroundings *before);
/** Ends the zygote with all that it has made. */
MAPB_FORK_SAFE _Noreturn void mapb_zygote_resign(void);

/* ---- processes below it ---- */

/** The next child that has ended and is not yet reaped, or 0. It keeps its pid until mapb_reap. */
MAPB_FORK_SAFE int mapb_ended_child(void);
/** Kills what is left of the child's process group, and reaps the child. @return its wait status. */
MAPB_FORK_SAFE int mapb_reap(int pid);
/** SIGKILL to every child of the zygote that comes from a worker which is gone. with_all: from any worker, and to the workers. @return how many there were; -1 when the kernel does not list children. */
MAPB_FORK_SAFE int mapb_kill_strays(const mapb_zygote *zygote, int with_all);
/** The worker whose mark this process carries; 0: none. */
MAPB_FORK_SAFE int mapb_own_mark(void);
/** Waits for a signal that a child has ended, at most 10 ms. @return 1 while there are children; else 0. */
MAPB_FORK_SAFE int mapb_wait_children(int signals);

#endif
