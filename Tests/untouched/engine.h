/* engine.h - the library as a host that opens it by dlopen sees it, and a pool's life in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ENGINE_H
#define ENGINE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <mapengine.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_FUNCTIONS(f)                                                                                            \
    f(pool_create) f(pool_start) f(pool_shutdown) f(pool_release) f(pool_stats) f(pool_worker) f(function_register)    \
        f(apply) f(map) f(stream_open) f(stream_push) f(stream_finish) f(job_wait) f(job_result) f(job_gather)         \
            f(job_progress) f(job_cancel) f(job_release) f(pool_dispatch) f(pool_next_event) f(pool_event_fd)          \
                f(pool_set_wakeup) f(pool_set_global) f(buffer_create) f(buffer_data) f(buffer_release) f(message)     \
                    f(version) f(status_string)

/** One copy of the library. */
struct engine {
    void *library;
#define FIELD(name) __typeof__(&mape_##name) mape_##name;
    ENGINE_FUNCTIONS(FIELD)
#undef FIELD
};

/** dlopen with these flags. Ends the program when that fails. */
void engine_open(struct engine *self, const char *path, int flags);
void engine_close(struct engine *self);

/** Says what was wrong, and ends the process. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Ends the process when a call has not answered as it should. */
void check(const struct engine *self, mape_pool *pool, int got, int expected, const char *call);
#define OK(self, pool, call) check((self), (pool), (call), MAPE_OK, #call)

/** Tells the watchdog where the test is. */
void stage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Runs `body` in a child of this process, which is the watchdog: says where it hung, if it does. Returns main's status. */
int watched(int seconds, int (*body)(int, char **), int argc, char **argv);
void nap(void);
#define PATIENCE MAPE_SECONDS(40)
/** Waits for what has to come about; the watchdog has the last word. */
#define wait_until(condition)                                                                                          \
    do {                                                                                                               \
        stage("%s:%d: waiting until %s", __FILE__, __LINE__, #condition);                                              \
        while (!(condition)) nap();                                                                                    \
    } while (0)

/** Paths that every test needs: the library, and the one of worker functions. */
extern const char *library_path, *workers_path;

/** The functions of libtestworkers.so that lives use. */
struct functions {
    mape_function_id square, fault;
};

mape_pool *engine_pool(const struct engine *self, uint32_t birth, uint32_t workers, struct functions *out);
mape_stats engine_stats(const struct engine *self, mape_pool *pool);
/** Maps so many numbers and checks their squares. */
void engine_maps(const struct engine *self, mape_pool *pool, const struct functions *functions, uint64_t count);
/** Maps items of which some kill, abort or exit their worker, and checks that these alone are lost. */
void engine_crashes(const struct engine *self, mape_pool *pool, const struct functions *functions);
/** Create, start, map, crash, map, destroy. */
void engine_life(const struct engine *self, uint32_t birth);

#endif
