/* test_still.c - a thread whose copy stands still keeps nobody else away.
 *
 * A page that nobody serves (userfaultfd(2)) holds the copy of a map, a push or a gather for as long as the test likes. Meanwhile
 * another thread calls what a main thread calls: each call has to return. So the test knows, without a clock, that no lock is held
 * while bytes of the host are copied.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "native_functions.h"
#include "support_native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE   4096u
#define BYTES  ((size_t)4 << 20)
#define VALUES (BYTES / 8)

/* ---- memory with a page that is served when the test says so ---- */

struct slow_memory {
    int fd;
    char *base, *page;
};

static int fault_descriptor(void) {
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    struct uffdio_api api = {.api = UFFD_API, .features = 0};
    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static struct slow_memory slow_memory_made(size_t missing) {
    struct slow_memory m = {.fd = fault_descriptor()};
    m.base = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(m.base != MAP_FAILED);
    madvise(m.base, BYTES, MADV_NOHUGEPAGE);
    memset(m.base, 1, BYTES);
    struct uffdio_register area = {.range = {(uintptr_t)m.base, BYTES}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    assert_int_equal(ioctl(m.fd, UFFDIO_REGISTER, &area), 0);
    m.page = m.base + missing / PAGE * PAGE;
    assert_int_equal(madvise(m.page, PAGE, MADV_DONTNEED), 0);
    return m;
}

/** Waits until a thread stands before the page. */
static void wait_for_fault(struct slow_memory *m) {
    struct pollfd one = {m->fd, POLLIN, 0};
    assert_int_equal(poll(&one, 1, PATIENCE_SECONDS * 1000), 1);
}

static void serve(struct slow_memory *m) {
    struct uffdio_zeropage zero = {.range = {(uintptr_t)m->page, PAGE}};
    ioctl(m->fd, UFFDIO_ZEROPAGE, &zero);
}

static void slow_memory_gone(struct slow_memory *m) {
    munmap(m->base, BYTES);
    close(m->fd);
}

/* ---- calls that copy ---- */

struct copier {
    mape_pool *pool;
    mape_function_id echo, typed;
    mape_job *done, *columns, *stream; /* For those that need one. */
    char *base;
    mape_job *made;
    int status;
    _Atomic bool is_back;
};

static int map_strided(struct copier *c) {
    mape_items items = items_at(c->base, VALUES, 8);
    return mape_map(&c->made, c->pool, c->echo, &items, NULL);
}

static int map_spans(struct copier *c) {
    mape_span span = {c->base, BYTES};
    mape_items items = MAPE_ITEMS_INIT;
    items.spans = &span;
    items.count = 1;
    return mape_map(&c->made, c->pool, c->echo, &items, NULL);
}

static int apply(struct copier *c) { return mape_apply(&c->made, c->pool, c->echo, c->base, BYTES, NULL); }

static int map_columns(struct copier *c) {
    mape_column values = column(c->base, 8);
    return mape_map_columns(&c->made, c->pool, c->typed, VALUES, &values, 1, NULL);
}

static int push(struct copier *c) {
    mape_span span = {c->base, BYTES};
    return mape_stream_push(NULL, c->stream, &span, 1);
}

static int set_global(struct copier *c) { return mape_pool_set_global(c->pool, "large", c->base, BYTES); }

static int register_data(struct copier *c) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function;
    description.run = run_echo;
    description.data = c->base;
    description.data_size = BYTES;
    return mape_function_register(&function, c->pool, &description);
}

static int gather(struct copier *c) { return mape_job_gather(c->base, BYTES, 8, NULL, c->done); }

static int gather_columns(struct copier *c) {
    mape_column values = column(c->base, 8);
    return mape_job_gather_columns(&values, 1, NULL, c->columns);
}

static const struct copying {
    const char *name;
    int (*call)(struct copier *);
    size_t missing; /* The page that is: in the first piece, or in a later one. */
} copyings[] = {
    {"map", map_strided, 64 * PAGE},
    {"map, a later piece", map_strided, BYTES - 8 * PAGE},
    {"map of spans", map_spans, BYTES / 2},
    {"apply", apply, BYTES / 2},
    {"map_columns", map_columns, 64 * PAGE},
    {"map_columns, a later piece", map_columns, BYTES - 8 * PAGE},
    {"stream_push", push, BYTES / 2},
    {"set_global", set_global, BYTES / 2},
    {"register", register_data, BYTES / 2},
    {"gather", gather, BYTES / 2},
    {"gather_columns", gather_columns, BYTES / 2},
};

static void *copy(void *context) {
    struct copier *c = ((void **)context)[0];
    const struct copying *copying = ((void **)context)[1];
    c->status = copying->call(c);
    atomic_store(&c->is_back, true);
    return NULL;
}

/* ---- what others call meanwhile ---- */

static const char *at_call = "";

static void *others(void *context) {
    struct copier *c = context;
    mape_event event = MAPE_EVENT_INIT;
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_stats stats = MAPE_STATS_INIT;
    uint64_t value = 5, result = 0;
    mape_job *job = NULL;
    at_call = "dispatch";
    mape_pool_dispatch(c->pool, 0, 0);
    at_call = "next_event";
    mape_pool_next_event(&event, c->pool, 0);
    at_call = "progress";
    mape_job_progress(&progress, c->done);
    at_call = "stats";
    mape_pool_stats(&stats, c->pool);
    at_call = "apply";
    mape_apply(&job, c->pool, c->echo, &value, sizeof value, NULL);
    at_call = "wait";
    mape_job_wait(job, MAPE_FOREVER);
    at_call = "gather";
    mape_job_gather(&result, sizeof result, 8, NULL, job);
    at_call = "cancel";
    mape_job_cancel(job);
    at_call = "release";
    mape_job_release(job);
    return (void *)(uintptr_t)(result == 5);
}

static void not_here(void) {
    int fd = fault_descriptor();
    if (fd >= 0) {
        close(fd);
        return;
    }
    print_message("userfaultfd is refused: %s\n", strerror(errno));
    skip();
}

static struct copier copier_ready(uint32_t birth) {
    struct copier c = {.pool = pool_started(birth, 2)};
    c.echo = registered(c.pool, run_echo);
    c.typed = typed(c.pool, "double native_half(double x)", native_half, 0);
    char *bytes = calloc(1, BYTES);
    c.done = mapped(c.pool, c.echo, bytes, VALUES, 8, NULL);
    mape_column values = column(bytes, 8);
    is_ok(c.pool, mape_map_columns(&c.columns, c.pool, c.typed, VALUES, &values, 1, NULL));
    is_ok(c.pool, mape_stream_open(&c.stream, c.pool, c.echo, NULL));
    wait_for(c.done);
    wait_for(c.columns);
    free(bytes);
    return c;
}

static void begin_copying(struct copier *c, const struct copying *copying, struct slow_memory *m, pthread_t *thread) {
    static void *both[2];
    both[0] = c;
    both[1] = (void *)(uintptr_t)copying;
    *m = slow_memory_made(copying->missing);
    c->base = m->base;
    c->made = NULL;
    atomic_store(&c->is_back, false);
    assert_int_equal(pthread_create(thread, NULL, copy, both), 0);
    wait_for_fault(m);
    assert_false(atomic_load(&c->is_back));
}

static void nobody_waits_for_a_thread_that_copies(uint32_t birth) {
    not_here();
    struct copier c = copier_ready(birth);
    for (size_t i = 0; i < COUNT(copyings); i++) {
        struct slow_memory m;
        pthread_t copier, other;
        struct timespec until;
        void *right = NULL;
        stage("%s stands still", copyings[i].name);
        begin_copying(&c, &copyings[i], &m, &copier);
        assert_int_equal(pthread_create(&other, NULL, others, &c), 0);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        int why = pthread_timedjoin_np(other, &right, &until);
        const char *call = at_call;
        assert_true(why != 0 || !atomic_load(&c.is_back));
        serve(&m);
        if (why != 0) pthread_join(other, &right);
        pthread_join(copier, NULL);
        if (why != 0) fail_msg("%s waits for the lock while %s copies", call, copyings[i].name);
        assert_non_null(right);
        is_status(c.pool, MAPE_OK, c.status);
        if (c.made) {
            wait_for(c.made);
            assert_int_equal(progress_of(c.made).ok, progress_of(c.made).total);
            is_ok(c.pool, mape_job_release(c.made));
        }
        slow_memory_gone(&m);
    }
    pool_close(c.pool);
}

/** What is copied into, or out of, is not given to others before the copy ends, whoever ends its job meanwhile. */
enum ends { CANCEL, RELEASE, SHUTDOWN, DESTROY, ENDS };

/* The job's handle, which the thread that copies got before it stood still. That the page was missed tells so; the kernel told it, and
 * ThreadSanitizer does not hear the kernel. */
__attribute__((no_sanitize_thread, noinline)) static mape_job *made_so_far(const struct copier *c) { return c->made; }

static void a_job_ends_while_it_is_copied(uint32_t birth) {
    not_here();
    for (size_t i = 0; i < COUNT(copyings); i++) {
        for (int end = 0; end < ENDS; end++) {
            struct copier c = copier_ready(birth);
            struct slow_memory m;
            pthread_t thread;
            stage("%s stands still, and its job ends in way %d", copyings[i].name, end);
            uint64_t used = stats_of(c.pool).input_bytes;
            begin_copying(&c, &copyings[i], &m, &thread);
            mape_job *jobs[] = {made_so_far(&c), c.stream, c.done, c.columns};
            for (size_t k = 0; k < COUNT(jobs) && end <= RELEASE; k++) {
                if (end == CANCEL && jobs[k]) is_ok(c.pool, mape_job_cancel(jobs[k]));
                if (end == RELEASE) is_ok(c.pool, mape_job_release(jobs[k]));
            }
            /* What would be given to others now is what the copy goes on in. */
            uint64_t *values = numbers(20000);
            mape_job *other = NULL;
            if (end <= RELEASE) {
                other = mapped(c.pool, c.echo, values, 20000, 8, NULL);
                wait_for(other);
            }
            if (end == SHUTDOWN) mape_pool_shutdown(c.pool, MAPE_SHUTDOWN_CANCEL, PATIENCE);
            if (end == DESTROY) {
                pool_forget(c.pool);
                is_ok(NULL, mape_pool_release(c.pool));
            }
            assert_false(atomic_load(&c.is_back));
            serve(&m);
            pthread_join(thread, NULL);
            if (end <= RELEASE) {
                for (uint64_t k = 0; k < 20000; k += 97) result_is(other, k, &values[k], 8);
                is_ok(c.pool, mape_job_release(other));
            }
            if (end == RELEASE && copyings[i].call != register_data && copyings[i].call != set_global) {
                mape_job_release(c.made != jobs[0] ? c.made : NULL);
                wait_until(stats_of(c.pool).input_bytes < used);
            }
            free(values);
            slow_memory_gone(&m);
            if (end != DESTROY) pool_close(c.pool);
        }
    }
}

int main(void) {
    const struct abi_test tests[] = {
        PATIENT(nobody_waits_for_a_thread_that_copies, IN_EXEC | IN_FORK, 400),
        PATIENT(a_job_ends_while_it_is_copied, IN_FORK, 180),
    };
    return run_abi_tests("still", tests, COUNT(tests));
}
