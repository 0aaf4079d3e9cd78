/* mapb_figures.h - what a pool says of itself to other processes of its user, `mapengine top` above all: part of mapb_layout.h
 *
 * The host writes its own figures here in place of elsewhere, so nobody has to ask it. A reader has no lock: it copies, looks again at what
 * tells whether the copy holds together (a generation, a blame word, a count of changes), and drops it if not. It reads by pread(2), and
 * believes nothing: Tools/mapengine/Sources/mapengine/Top.
 */
#ifndef MAPB_FIGURES_H
#define MAPB_FIGURES_H

#include "mapb_base.h"

#define MAPB_FIGURES_OFFSET 512u /* In the input memory's first page. */
#define MAPB_SHOWN_NAME     128u /* Longest name that is shown, NUL included: longer ones are cut between characters. */
#define MAPB_SHOWN_NAMES    65536u /* How many names can be shown at once; their numbers begin at 1. */

/** Where the table of names begins, of which each is the offset of a text that ends with NUL, or 0; and where it ends: the arena. Numbers, for
 *  Swift. */
#define MAPB_NAMES_OFFSET 8392704u
#define MAPB_ARENA_OFFSET 8916992u

/** The last crash. Written by the host: `changes` is odd while it is written. */
typedef struct mapb_last_crash {
    uint64_t changes;
    uint64_t item; /* As workers count: with mape_job_config.first_index. */
    uint64_t job;
    int64_t at;     /* Of CLOCK_MONOTONIC, in nanoseconds. */
    int32_t worker; /* -1: not known. */
    int32_t signal; /* 0: it has exited. */
    char function[MAPB_SHOWN_NAME];
} mapb_last_crash;

/** Written by the host, under the pool's lock. */
typedef struct mapb_figures {
    int32_t host;        /* The host's process id, in its own namespace. */
    int32_t zygote;      /* The zygote's; 0: there is none now. */
    int64_t created;     /* Of CLOCK_MONOTONIC, in nanoseconds. */
    uint32_t stage;      /* An enum mapb_stage. */
    uint32_t places;     /* Workers that there are to be on this machine. */
    uint32_t lines;      /* The most that there ever were to be: their places are the first ones. */
    uint32_t first_lane; /* The places from here on are lanes'. */
    uint32_t nodes;      /* Machines that take work. */
    uint32_t pad;
    uint64_t jobs, items, ranges; /* As in mape_stats. */
    uint64_t submitted;           /* Items that jobs have had; those that are not in `items` have not ended. */
    uint64_t started, died, killed, zygotes; /* As in mape_stats. */
    uint64_t crashed;                        /* Items that were blamed for a death, with those that ran again. */
    mapb_last_crash crash;
} mapb_figures;

enum mapb_stage {
    MAPB_STAGE_CREATED = 0,
    MAPB_STAGE_RUNNING = 1,
    MAPB_STAGE_CLOSING = 2,
    MAPB_STAGE_CLOSED = 3,
    MAPB_STAGE_FAILED = 4 /* Its workers could not be kept alive. */
};

/** What is known of a place of a worker: a cache line, in its inbox. Written by the host. */
typedef struct mapb_worker_line {
    uint64_t generation; /* Counts the processes that the place has had. Written first. */
    int32_t pid;         /* 0: not known yet, or no process. */
    uint32_t state;      /* An enum mape_worker_state, without BUSY: a worker with unanswered requests is. */
    uint64_t items;      /* That this process has ended. */
    int64_t since;       /* When it last answered, or was assigned something while idle: what it is on began later. */
    uint8_t pad[32];
} mapb_worker_line;

/** In a lane's inbox, from here on: the name of the machine that has answered last, ended with NUL. Written by the host. */
#define MAPB_HOST_OFFSET 7936u

_Static_assert(sizeof(mapb_worker_line) == 64, "a worker's line is a cache line");
_Static_assert(MAPB_FIGURES_OFFSET + sizeof(mapb_figures) <= 4096, "the figures lie before the inboxes");

#endif
