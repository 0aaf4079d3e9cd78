/* mapb_worker.h - a worker as a process: how it begins, loads code, keeps functions apart, and ends
 *
 * What runs in it is Worker/ of the engine. A system's folder (linux/) implements all of it.
 */
#ifndef MAPB_WORKER_H
#define MAPB_WORKER_H

#include "mapb_floating.h"
#include "mapb_task.h"
#include "mapb_zygote.h"

/* ---- a worker's beginnings ---- */

/** Its own group; killed with the zygote; signals as a program expects them; standard descriptors; limits. */
MAPB_FORK_SAFE void mapb_worker_process(const mapb_zygote *zygote, uint32_t slot, int out, int err);
/** Sets limits of a worker: memory, core files, OOM score, and the mark that identifies its descendants. */
MAPB_FORK_SAFE void mapb_worker_limits(const mapb_zygote *zygote);
/** Closes every descriptor above 2 that is not among `keep`; with marked_only, only those marked close-on-exec. @return 0 or an errno. */
MAPB_FORK_SAFE int mapb_close_others(const int *keep, int count, int marked_only);
/** Enters MAPE_SANDBOX_COMPUTE, for good. @return 0; else the code to exit with, and a text of at most 128 bytes in `message`. */
MAPB_FORK_SAFE int mapb_enter_sandbox(const int *keep, int count, char message[128]);
/** The same for a worker, which keeps its bells and its report. */
MAPB_FORK_SAFE static inline int mapb_task_enters_sandbox(const mape_task *task, char message[128]) {
    const int keep[] = {task->bells[0], task->bells[1], task->report_file};
    return mapb_enter_sandbox(keep, 3, message);
}
/** What has failed in a worker that exited with that code. NULL: not the sandbox. */
MAPB_FORK_SAFE const char *mapb_sandbox_failed(int code);
/** Whether this kernel can do it: NULL, or what is missing. */
MAPB_FORK_SAFE const char *mapb_sandbox_lacks(void);
/** Installs the handlers that describe a crash in the output memory before they let it happen (fork_crash.c). For workers
 *  only, before any code of the user. Leaves signals alone that have a handler or are ignored. */
MAPB_FORK_SAFE void mapb_crash_watch(uint8_t *output);
/** Makes the unwinder set itself up, so that it need not do so in a handler. */
MAPB_FORK_SAFE void mapb_crash_prepare(void);
/** Marks this process as a worker, so that the host's entry points refuse. */
MAPB_FORK_SAFE void mapb_become_worker(void);

/* ---- what reaches a running item: fork_interrupt.c ---- */

/** The signal by which a worker is told to look at inbox.interrupt. */
#define MAPB_SIGNAL_INTERRUPT 61
/** Raises `signal` in items that are to stop. Before any code of the user. */
MAPB_FORK_SAFE void mapb_interrupt_watch(mape_task *task, int signal);
/** Called when a request of items has ended: after it no signal comes that was sent for it. */
MAPB_FORK_SAFE void mapb_interrupt_absorb(mape_task *task);
/** Opens the report, at a place of the output memory whose file this is; closes that. @return the descriptor, or -1. */
MAPB_FORK_SAFE int mapb_report_open(int output, uint64_t at, mapb_inode *out);
/** Empties it. */
MAPB_FORK_SAFE void mapb_report_clear(int file, uint8_t *output, uint64_t at);

/* ---- loading code ---- */

/** Finds which file lies at a path. Leaves `out->known` 0 when there is no regular file. */
MAPB_FORK_SAFE void mapb_identify(const char *path, mapb_file *out);
/** Whether both describe the same file: the same file in the same state, or the same build; or both none. */
MAPB_FORK_SAFE int mapb_is_same_file(mapb_file a, mapb_file b);
/** Loads a library: the file that was registered, or none. `file`: NULL: whatever lies at the path.
 *  @return 0, or MAPE_E_LOAD with the reason in message. */
MAPB_FORK_SAFE int mapb_load_library(const char *path, const mapb_file *file, char *message, uint64_t size);
/** The file and the path in a LOAD message; false when it is none. */
MAPB_FORK_SAFE int mapb_load_named(const mapb_control *message, char *text, uint64_t size);
/** Finds a piece of code in this process. `input` is the pool's input memory, for texts.
 *  @return 0 and the address (NULL for NONE), or MAPE_E_LOAD with a text in message. */
MAPB_FORK_SAFE int mapb_find_code(const uint8_t *input, const mapb_place *place, void **out, char *message,
                                  uint64_t size);

/* ---- what functions leave behind: fork_state.c ---- */

/** Notes the state that the worker begins with. */
MAPB_FORK_SAFE void mapb_state_begin(void);
/** Once more, after a module, in a worker that has done so before. */
MAPB_FORK_SAFE void mapb_state_again(void);
/** Called after a setup: *out is the state that it left to its function alone; NULL: none. The rest is for all functions from now on. */
MAPB_FORK_SAFE void mapb_state_setup_ended(mapb_own **out);
/** Frees that, when the function is forgotten. */
MAPB_FORK_SAFE void mapb_state_forget(mapb_own **own);
/** Called while a worker waits, after a function has run: makes one check of state that the function may have changed. @return whether
 *  there was one to make. */
MAPB_FORK_SAFE int mapb_state_look(void);
/** Called before another function than the last: restores the process to what its setup left; NULL: to what the worker began with. Not
 *  `is_suspect`: nothing has had time for a system call since another function was entered.
 *  @return NULL, or what cannot be made so again. */
MAPB_FORK_SAFE const char *mapb_state_enter(const mapb_own *own, int is_suspect);
/** The same, where the functions since have shared that state, and had no time for a system call. */
MAPB_FORK_SAFE void mapb_state_enter_lightly(const mapb_own *own);
/** Before each range: floating point, errno. */
MAPB_FORK_SAFE void mapb_state_range(const mapb_own *own);
/** Called before a worker sleeps: stops timers of a function, which must not end an idle worker. */
MAPB_FORK_SAFE void mapb_state_idle(void);

/* ---- which process is it? ---- */

/** Makes the task of this worker. From here on the worker is one process: children that it forks do not have its output memory. NULL on
 *  failure. */
MAPB_FORK_SAFE mape_task *mapb_worker_task(uint8_t *output, uint64_t size);
/** Ends such a process, which would go on as a second worker. */
MAPB_FORK_SAFE _Noreturn void mapb_stray_exit(void);
/** Logs that a worker retires because of `what`. */
MAPB_FORK_SAFE void mapb_retire_text(char text[MAPB_TEXT], const char *what);
/** The end of one, and of the worker in whose memory it is. */
MAPB_FORK_SAFE _Noreturn void mapb_end_worker(int pid);

/* ---- exits: fork_exit.c ---- */

/** Empties all open streams: their contents belong to another process. */
MAPB_FORK_SAFE void mapb_purge_streams(void);
/** Writes out the contents of all streams. */
MAPB_FORK_SAFE void mapb_flush_streams(void);
/** In a zygote, before it loads anything. @return 1 when exit cannot be used in it and in its workers: see there. */
MAPB_FORK_SAFE int mapb_exit_prepare(void);
/** In a worker, before any code of the user: streams begin empty, and exit, quick_exit and pthread_exit run no handler of the host. */
MAPB_FORK_SAFE void mapb_exit_watch(void);
/** Ends a worker: what its functions wrote to stdio is flushed first. */
MAPB_FORK_SAFE _Noreturn void mapb_worker_exit(int code);

#endif
