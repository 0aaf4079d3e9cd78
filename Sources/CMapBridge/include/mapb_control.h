/* mapb_control.h - control messages between host and zygote
 *
 * One packet each (mapb_socket_pair), with descriptors beside it. A packet holds the head and exactly the text that the head announces;
 * one that does not is no message, and the connection counts as closed.
 *
 *   host                                zygote
 *    │── INIT (memory, bells) ───────────►│
 *    │── STDERR (where to print) ────────►│
 *    │◄─────────────────────────── HELLO ─│
 *    │── LOAD (a library) ───────────────►│
 *    │◄────────────────────────── LOADED ─│
 *    │── SPAWN (output memory, pipes) ───►│
 *    │◄──────────────────────────── HOOK ─│   where its program has hooks, before each
 *    │                                    │── fork ──► worker
 *    │◄───────────────────────── SPAWNED ─│
 *    │── KILL, INTERRUPT ────────────────►│
 *    │◄──────────────────────────── DIED ─│
 *
 * mapengine-remote (docs/cluster.md) speaks the same: its workers are lanes, whose requests run on other machines.
 */
#ifndef MAPB_CONTROL_H
#define MAPB_CONTROL_H

#include "../../../include/mapengine.h"
#include "mapb_layout.h"

/** The version as mape_version returns it: one number. */
enum { MAPB_VERSION = MAPE_VERSION };

enum mapb_control_kind {
    /* host to zygote */
    MAPB_CONTROL_INIT = 1, /* fds: input memory, engine bell, waiter bell */
    MAPB_CONTROL_LOAD =
        2, /* slot: its number; text: a mapb_file, then the path of a library, to be loaded before workers are forked */
    MAPB_CONTROL_SPAWN = 3,     /* slot, generation, size of the output memory; fds: output memory [, stdout, stderr] */
    MAPB_CONTROL_KILL = 4,      /* slot, generation: SIGKILL to its process group */
    MAPB_CONTROL_STDERR = 5,    /* fds: what its standard error is from now on */
    MAPB_CONTROL_INTERRUPT = 6, /* slot, generation: the worker looks at inbox.interrupt */
    /* to mapengine-remote alone, after INIT. slot: lanes at most; code: enum mapb_cluster_flags; fds: the bell of the lanes, which the host
       rings for requests, take-backs and cancels in place of a futex; text: the URL. It is sent no LOAD and no INTERRUPT. */
    MAPB_CONTROL_CLUSTER = 7,
    /* zygote to host */
    MAPB_CONTROL_HELLO =
        16, /* code: MAPB_PROTOCOL, size: MAPB_VERSION, pid: how many threads the zygote has, slot: 1 if it has hooks */
    MAPB_CONTROL_SPAWNED = 17, /* slot, generation, pid; or code: an errno. No hook runs any more. */
    MAPB_CONTROL_DIED = 18,    /* slot, generation, code: a wait status */
    MAPB_CONTROL_NOTE = 19,    /* code: an enum mape_log_level; text */
    MAPB_CONTROL_LOADED =
        20, /* slot: a library's number; code: an enum mapb_change, other than 0 the zygote ends with it */
    MAPB_CONTROL_HOOK = 21, /* code: an enum mapb_hook, which begins now */
    /* mapengine-remote to host */
    /* slot: nodes; code: lanes that they have room for: the host asks for as many (SPAWN), those that go end by DIED; generation: round trip
       to the server in nanoseconds; size: bytes sent; memory_limit: bytes received; growth: items sent again */
    MAPB_CONTROL_NODES = 22,
    MAPB_CONTROL_LANE = 23,    /* slot, generation; size: round trip in nanoseconds; text: the machine that answered last */
    MAPB_CONTROL_REFUSED = 24, /* code: an enum mape_status; text: why the server cannot be used; it is tried again */
    /* slot, generation: id and serial of a mapb_function; code: MAPE_E_LOAD or MAPE_E_SETUP, text: why no node can run it; 0: one can again.
       Its ranges are answered with STOPPED and no item done. */
    MAPB_CONTROL_FUNCTION = 25
};

enum mapb_cluster_flags {
    MAPB_CLUSTER_CAPTURE = 1, /* What workers print goes into the pipes of SPAWN. */
    MAPB_CLUSTER_DISCARD = 2
};

enum mapb_init_flags {
    MAPB_INIT_PIN = 1,
    MAPB_INIT_DISCARD = 2,
    MAPB_INIT_NO_CORES = 4, /* Workers leave no core files. */
    MAPB_INIT_SANDBOX = 8,  /* MAPE_SANDBOX_COMPUTE */
    MAPB_INIT_REMOTE = 16   /* To mapengine-remote. */
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
    uint32_t depth;        /* INIT: 1 for the pool of a program, 2 for one of its workers, and so on */
    uint32_t flags;        /* INIT: enum mapb_init_flags */
    int32_t oom;           /* INIT: what is added to oom_score_adj */
    uint64_t growth;       /* INIT: bytes of growth after which a worker is replaced; 0: never */
    uint32_t line;         /* INIT: mapb_process_number of the host */
    int32_t cancel_signal; /* INIT: raised in items that are to stop; 0: none */
    uint32_t text_size;    /* bytes of text, the NUL included */
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
MAPB_FORK_SAFE static inline char *mapb_control_text(mapb_control *m) { return m->text; }

#endif
