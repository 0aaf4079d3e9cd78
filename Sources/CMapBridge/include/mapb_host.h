/* mapb_host.h - functions that only the host calls: which process this is, the zygote's start, and what can be found out about code
 *
 * Its calls of the system that have a neutral form of their own are in mapb_platform.h.
 */
#ifndef MAPB_HOST_H
#define MAPB_HOST_H

#include "mapb_layout.h"
#include "mapb_platform.h"

/* ---- which process is this? ---- */

enum mapb_role { MAPB_ROLE_HOST = 0, MAPB_ROLE_WORKER = 1 };
extern int mapb_process_role;
static inline int mapb_is_worker(void) { return mapb_process_role == MAPB_ROLE_WORKER; }
/** Makes this process one that may have pools: finds where its addresses end, and notes it in a page that children of it find empty
 *  (MADV_WIPEONFORK). Nothing to do when it is one already. @return 0 or an errno, and in `call` what failed: static text. */
int mapb_remember_host(const char **call);
/** 0: this process has not been made one that may have pools. Else which of the line it is: 1 for one that has no such ancestor, and one
 *  more in a child of it that is one as well. */
uint32_t mapb_process_number(void);
/** Whether a process that may have pools has forked this one, which has none. */
int mapb_is_forked_child(void);
/** Whether this is a process that shares the memory of the one that may have pools: vfork(2). */
int mapb_shares_host(void);
/** In Swift: all handles of this process. NULL: there are none yet. */
void *mapb_handles(void);
/** Keeps them, unless another thread was first. @return those that are kept. */
void *mapb_keep_handles(void *handles);
/** Notes a descriptor of this process: children that it forks close it at once. @return the descriptor. */
int mapb_keep_file(int fd);
/** Before it is closed, or handed over. */
void mapb_forget_file(int fd);

/* ---- workers as hosts ---- */

/** How deep this process is: 0: a program, 1: a worker of a program's pool, 2: a worker of a worker's. */
uint32_t mapb_depth(void);
/** Whether this process is a worker itself: no zygote, and no process that a function has forked. */
int mapb_is_worker_itself(void);
/** Whether this worker is in a sandbox. */
int mapb_is_sandboxed(void);

/* ---- addresses ---- */

/** The end of the addresses that a process gets without asking for higher ones, and the end of this process's. */
extern const uint64_t mapb_common_end;
extern uint64_t mapb_address_end;
static inline uint64_t mapb_address_end_now(void) { return mapb_peek(&mapb_address_end); }
/** Finds the end of this process's addresses. */
void mapb_find_address_end(void);

/* ---- the zygote ---- */

/** Starts the program of a zygote with the control socket as descriptor 3 and no other above 2; its standard error is `error`; default
 *  signals, own group. @return 0 or an errno, and in `call` what failed: static text. */
int mapb_spawn_zygote(const char *path, char *const *argv, char *const *env, int control, int error, mapb_spawned *out,
                      const char **call);
/** A descriptor of the host's standard error, or of /dev/null where that is closed. @return it, or a negative errno. */
int mapb_standard_error(void);
/** Writes as much as goes without waiting, to what may be a pipe that nobody reads; the rest is dropped. */
void mapb_write_what_goes(int fd, const uint8_t *bytes, uint64_t size);
/** fork(2); the child never returns: it becomes a zygote. env: its environment, or NULL. @return 0 or an errno. */
int mapb_fork_zygote(int control, char *const *env, mapb_spawned *out, const char **call);
/** In Swift: the zygote's loop. */
_Noreturn void mapb_zygote_run(int control, int parent);
/** Whether this program was started as a zygote, with the control socket as descriptor 3; if so, nothing that it starts will be. */
int mapb_is_zygote_program(void);

/* ---- the engine's thread ---- */

/** Starts a thread with a stack of 8 MiB that blocks all signals and has no real-time class. @return 0 or an errno. */
int mapb_start_thread(void *(*run)(void *), void *context, uint64_t *out_thread);
/** Joins a thread. `thread` is not valid afterwards. */
void mapb_join_thread(uint64_t thread);

/* ---- replies ---- */

/** Copies a reply out of memory that its worker may be writing: each word is read exactly once. */
static inline mapb_reply mapb_read_reply(const mapb_reply *reply) {
    union {
        uint64_t words[sizeof(mapb_reply) / 8];
        mapb_reply reply;
    } copy;
    for (size_t i = 0; i < sizeof copy.words / 8; i++) copy.words[i] = mapb_peek((const uint64_t *)reply + i);
    return copy.reply;
}

/** The same of a request's times. */
static inline mapb_times mapb_read_times(const mapb_times *times) {
    union {
        uint64_t words[sizeof(mapb_times) / 8];
        mapb_times times;
    } copy;
    for (size_t i = 0; i < sizeof copy.words / 8; i++) copy.words[i] = mapb_peek((const uint64_t *)times + i);
    return copy.times;
}

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
/** What this program is called: the last part of its path. */
const char *mapb_program_name(void);
/** The path of the file that this library was loaded from. @return 0 or an errno. */
int mapb_own_path(char *path, uint64_t size);
/** The name of the symbol that a library exports at an address. @return 1, or 0 when there is none. */
int mapb_symbol_of(const void *address, char *name, uint64_t size);

/* ---- files ---- */

/** A descriptor that stands for a folder, to create files in. @return descriptor, or a negative errno. */
int mapb_open_folder(const char *path);
/** Creates a file that was not there, readable for its owner alone; never follows a link. @return descriptor, or a negative errno. */
int mapb_create_file(int folder, const char *name);
void mapb_remove_file(int folder, const char *name);

/* ---- proxies ---- */

/** A function pointer of a prepared call's type, whose calls go to `object`, a Proxy. @return NULL when all are in use. */
mape_native_fn mapb_proxy_make(void *prepared, void *object);
/** Whether it is a proxy of another process, which this one was forked from. */
int mapb_proxy_is_foreign(mape_native_fn proxy);
/** Begins to release a proxy. @return its object; NULL: it is no proxy, or another thread releases it. */
void *mapb_proxy_claim(mape_native_fn proxy);
/** Cancels mapb_proxy_claim. */
void mapb_proxy_keep(mape_native_fn proxy);
/** Waits until no call of the proxy runs, except calls whose on_error was left. */
void mapb_proxy_await(mape_native_fn proxy);
/** Frees the proxy's slot: the pointer may be another proxy's from now on. */
void mapb_proxy_free(mape_native_fn proxy);

/* ---- texts ---- */

char **mapb_environment(void);
/** Sets a variable of it; NULL: takes it out. */
void mapb_set_variable(const char *name, const char *value);
/** What workers cannot be kept from by the sandbox of this kernel, for the log. @return 1; 0: from everything. */
int mapb_sandbox_note(char *text, uint64_t size);
/** The text of mape_status_string: static. */
const char *mapb_status_text(int status);
/** "", for ever. */
static inline const char *mapb_empty_text(void) { return ""; }

#endif
