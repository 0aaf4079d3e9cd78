/* mapb_crash.h - the crash record: what a worker's signal handler found out before it ended (fork_crash.c)
 *
 *   at MAPB_CRASH_OFFSET of an output memory, 8 KiB
 *   ┌─────────────────┬───────────────┬────────────────┬───────┐
 *   │ mapb_crash_head │ modules       │ frames         │ texts │
 *   └─────────────────┴───────────────┴────────────────┴───────┘
 *
 * The head says how much of each is filled, and whether the handler came to its end.
 */
#ifndef MAPB_CRASH_H
#define MAPB_CRASH_H

#include "mapb_layout.h"

#define MAPB_CRASH_FRAMES  48u
#define MAPB_CRASH_MODULES 16u
#define MAPB_CRASH_TEXT    5760u /* Texts, each ended with NUL. The first byte is one, so that 0 stands for no text. */

enum mapb_crash_state {
    MAPB_CRASH_NONE = 0,
    MAPB_CRASH_BEGUN = 1, /* What follows may be incomplete: the handler was interrupted. */
    MAPB_CRASH_DONE = 2
};

enum mapb_crash_flags {
    MAPB_CRASH_MORE_FRAMES = 1,   /* The stack is deeper than the record. */
    MAPB_CRASH_BROKEN_STACK = 2,  /* Reading the stack raised another signal. */
    MAPB_CRASH_BROKEN_SYMBOLS = 4 /* Reading the list of libraries, or the symbols, did. */
};

/** A file that frames lie in. */
typedef struct mapb_crash_module {
    uint64_t base; /* Where it is loaded: offsets count from here. */
    uint32_t path; /* Offset in text. */
    uint32_t build_id_size;
    uint8_t build_id[MAPB_BUILD_ID];
} mapb_crash_module;

enum mapb_crash_frame_flags { MAPB_CRASH_FRAME_ENGINE = 1 /* Code of this library: it called the function. */ };

/** A frame of the stack, innermost first. */
typedef struct mapb_crash_frame {
    uint64_t pc;
    uint64_t symbol_offset; /* From the symbol's start to pc. */
    uint32_t line;          /* 0: not known. */
    uint16_t module;        /* Its number plus 1; 0: pc lies in no file. */
    uint16_t symbol;        /* Offset in text: the name in the file's symbol table; */
    uint16_t function;      /* the function's name, when it was inlined into the symbol's; */
    uint16_t file;          /* the source file. */
    uint32_t flags;
} mapb_crash_frame;

/** The signal, and how much of the rest is filled. */
typedef struct mapb_crash_head {
    uint32_t state; /* An enum mapb_crash_state. */
    int32_t signal;
    int32_t code;   /* si_code, */
    int32_t sender; /* and si_pid if the signal was sent by a process. */
    uint64_t address;
    uint64_t pc;
    uint64_t sp;
    uint32_t flags; /* enum mapb_crash_flags */
    uint32_t frames;
    uint32_t modules;
    uint32_t text_size;
    int32_t thread; /* Its id: the process's own for the thread that runs functions. */
    uint8_t pad[68];
} mapb_crash_head;

/** Written by the worker, once. */
typedef struct mapb_crash {
    mapb_crash_head head;
    mapb_crash_module module[MAPB_CRASH_MODULES];
    mapb_crash_frame frame[MAPB_CRASH_FRAMES];
    char text[MAPB_CRASH_TEXT];
} mapb_crash;

_Static_assert(sizeof(mapb_crash_module) == 48 && sizeof(mapb_crash_frame) == 32, "layout");
_Static_assert(offsetof(mapb_crash, module) == 128 && sizeof(mapb_crash) == 8192, "layout");
_Static_assert(MAPB_CRASH_OFFSET + sizeof(mapb_crash) <= MAPB_RESULTS_OFFSET, "layout");

#endif
