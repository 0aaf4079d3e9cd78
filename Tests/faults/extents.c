/* extents.c - places in memory that no process can have: each entry point that takes an address with a count, a stride or a size.
 * Case 71.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../abi/support_native.h"
#include "faults.h"

/** Three items so far apart do not fit into the addresses of a process, wherever the first lies. */
static const size_t far_apart[] = {
    (size_t)1 << 47, (size_t)1 << 48, ((size_t)1 << 48) + 8, (size_t)1 << 52, (size_t)1 << 56, (size_t)1 << 57,
    (size_t)1 << 60, (size_t)1 << 61, ((size_t)1 << 61) - 8, (size_t)1 << 62, SIZE_MAX / 2,    SIZE_MAX / 2 + 1,
    SIZE_MAX - 7,    SIZE_MAX,
};

/** Sixteen bytes do not fit there. Nothing is mapped at any of them. */
static void *const nowhere[] = {
    (void *)0x00fffffffffffff8, (void *)0x7ffffffffffffff8, (void *)0xffff800000000000, (void *)0xfffffffffffffff0,
    (void *)0xfffffffffffffff8, (void *)0xffffffffffffffff,
#ifdef __x86_64__ /* On AArch64 the uppermost byte is a tag. */
    (void *)0x00007fffffffeff8, (void *)0x0100000000000000, (void *)0x4000000000000000, (void *)0x8000000000000000,
#endif
};

static struct {
    mape_pool *pool;
    mape_stats before;
    mape_function_id square, pow, memcmp, frexp, bzero, strlen;
} it;

static void set_up(void) {
    it.pool = row_pool();
    it.square = registered(it.pool, run_square);
    it.pow = typed_in(it.pool, "double pow(double x, double y)", "libm.so.6");
    it.memcmp = typed_in(it.pool, "int memcmp(const void *a [n], const void *b [n], size_t n)", "libc.so.6");
    it.frexp = typed_in(it.pool, "double frexp(double x, int *exponent [1])", "libm.so.6");
    it.bzero = typed_in(it.pool, "void bzero(void *s [n], size_t n)", "libc.so.6");
    it.strlen = typed_in(it.pool, "size_t strlen(const char *s)", "libc.so.6");
    it.before = stats_of(it.pool);
}

static void is_refused(int status, const char *what, uint64_t with) {
    if (status != MAPE_E_OVERFLOW) fail_msg("%s, %#llx: answered %d", what, (unsigned long long)with, status);
    assert_string_not_equal(message_of(it.pool), "");
}

/** A submission that is refused makes no job and takes no memory. */
static void made_nothing(int status, const mape_job *made, const char *what, uint64_t with) {
    is_refused(status, what, with);
    assert_null(made);
    assert_int_equal(stats_of(it.pool).jobs, it.before.jobs);
    assert_int_equal(stats_of(it.pool).input_bytes, it.before.input_bytes);
}

#define makes_nothing(call, what, with)                                                                                \
    do {                                                                                                               \
        job = (mape_job *)8;                                                                                           \
        int status_ = (call);                                                                                          \
        made_nothing(status_, job, what, with);                                                                        \
    } while (0)

static void nothing_has_changed(void) {
    assert_int_equal(stats_of(it.pool).input_bytes, it.before.input_bytes);
    assert_int_equal(stats_of(it.pool).workers_died, it.before.workers_died);
    pool_works(it.pool);
}

static void items(const struct row *row) {
    (void)row;
    set_up();
    static uint64_t value[2];
    mape_job *job;
    mape_buffer *buffer = NULL;
    void *inside = NULL;
    is_ok(it.pool, mape_buffer_create(&buffer, it.pool, 4096));
    is_ok(it.pool, mape_buffer_data(&inside, NULL, buffer));
    it.before = stats_of(it.pool);
    for (size_t i = 0; i < COUNT(far_apart); i++) {
        stage("stride %#zx", far_apart[i]);
        for (size_t k = 0; k < 2; k++) {
            mape_items items = items_at(k ? inside : value, 3, 8);
            items.stride = far_apart[i];
            makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "a map of that stride", far_apart[i]);
            items = items_at(k ? inside : value, 1, far_apart[i]);
            makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "an item of that size", far_apart[i]);
            makes_nothing(mape_apply(&job, it.pool, it.square, k ? inside : value, far_apart[i], NULL),
                          "an apply of that size", far_apart[i]);
        }
        mape_span spans[2] = {{value, 8}, {value, far_apart[i]}};
        mape_items items = MAPE_ITEMS_INIT;
        items.spans = spans, items.count = 2;
        makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "a span of that size", far_apart[i]);
        items.count = far_apart[i];
        spans[1].size = 8;
        makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "so many spans", far_apart[i]);
    }
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        stage("at %p", nowhere[i]);
        mape_items items = items_at(nowhere[i], 2, 8);
        mape_span span = {nowhere[i], 16};
        makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "a map there", (uintptr_t)nowhere[i]);
        makes_nothing(mape_apply(&job, it.pool, it.square, nowhere[i], 16, NULL), "an apply there",
                      (uintptr_t)nowhere[i]);
        items = (mape_items)MAPE_ITEMS_INIT;
        items.spans = &span, items.count = 1;
        makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "a span there", (uintptr_t)nowhere[i]);
        items.spans = nowhere[i];
        items.count = 2;
        makes_nothing(mape_map(&job, it.pool, it.square, &items, NULL), "spans there", (uintptr_t)nowhere[i]);
    }
    /* What nobody touches can lie anywhere. */
    mape_items none = items_at(value, 0, 8), empty = items_at(nowhere[0], 3, 0);
    none.stride = SIZE_MAX / 2;
    is_ok(it.pool, mape_map(&job, it.pool, it.square, &none, NULL));
    is_ok(it.pool, mape_job_release(job));
    is_ok(it.pool, mape_map(&job, it.pool, registered(it.pool, run_nothing), &empty, NULL));
    wait_for(job);
    is_ok(it.pool, mape_job_release(job));
    is_ok(it.pool, mape_buffer_release(buffer));
    pool_works(it.pool);
}

static void other_inputs(const struct row *row) {
    (void)row;
    set_up();
    static uint64_t value[2];
    mape_job *stream = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_square;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    is_ok(it.pool, mape_stream_open(&stream, it.pool, it.square, &config));
    /* One that is taken, so that there is a block with room for those that follow. */
    mape_span well = {value, 8};
    is_ok(it.pool, mape_stream_push(NULL, stream, &well, 1));
    it.before = stats_of(it.pool);
    for (size_t i = 0; i < COUNT(far_apart) + COUNT(nowhere); i++) {
        bool is_size = i < COUNT(far_apart);
        const void *at = is_size ? (void *)value : nowhere[i - COUNT(far_apart)];
        size_t size = is_size ? far_apart[i] : 16, accepted = 7;
        mape_function_id id = 7;
        stage("%zu bytes at %p", size, at);
        is_refused(mape_pool_set_global(it.pool, "name", at, size), "a global", size);
        description.data = at, description.data_size = size;
        is_refused(mape_function_register(&id, it.pool, &description), "data of a function", size);
        assert_int_equal(id, 0);
        mape_span span[2] = {{value, 8}, {at, size}};
        is_refused(mape_stream_push(&accepted, stream, span + 1, 1), "a push", size);
        assert_int_equal(accepted, 0);
        is_refused(mape_stream_push(&accepted, stream, is_size ? span : at, is_size ? size : 2), "so many pushes",
                   size);
        assert_int_equal(accepted, 0);
        assert_int_equal(progress_of(stream).total, 1);
    }
    /* Those before a wrong one are taken, and told. */
    for (size_t wrong = 0; wrong < 5; wrong++) {
        mape_span spans[5];
        size_t accepted = 77;
        for (size_t i = 0; i < 5; i++) spans[i] = well;
        spans[wrong].size = (size_t)1 << 60;
        uint64_t total = progress_of(stream).total;
        is_refused(mape_stream_push(&accepted, stream, spans, 5), "a push of some", wrong);
        assert_int_equal(accepted, wrong);
        assert_int_equal(progress_of(stream).total, total + wrong);
        spans[wrong] = (mape_span){NULL, 8};
        accepted = 77;
        is_status(it.pool, MAPE_E_ARGUMENT, mape_stream_push(&accepted, stream, spans, 5));
        assert_int_equal(accepted, wrong);
        assert_int_equal(progress_of(stream).total, total + 2 * wrong);
    }
    is_ok(it.pool, mape_stream_finish(stream));
    is_ok(it.pool, mape_job_release(stream));
    pool_works(it.pool);
}

static void columns(const struct row *row) {
    (void)row;
    set_up();
    static double value[8];
    static const size_t n = 8;
    const char *text = "text";
    mape_job *job;
    for (size_t i = 0; i < COUNT(far_apart); i++) {
        for (int sign = 1; sign >= -1; sign -= 2) {
            ptrdiff_t stride = sign * (ptrdiff_t)far_apart[i];
            /* As ptrdiff_t the largest of them are small steps back. */
            if (stride < 4096 && stride > -4096) continue;
            stage("stride %td", stride);
            mape_column c[3] = {column(value, 8), column(value, stride), column(&n, 0)};
            makes_nothing(mape_map_columns(&job, it.pool, it.pow, 3, c, 2, NULL), "a column of that stride",
                          far_apart[i]);
            c[0] = column(&text, stride);
            makes_nothing(mape_map_columns(&job, it.pool, it.strlen, 3, c, 1, NULL), "texts of that stride",
                          far_apart[i]);
            c[0] = column(value, stride), c[0].size = 8;
            c[1] = column(value, 0), c[1].size = 8;
            makes_nothing(mape_map_columns(&job, it.pool, it.memcmp, 3, c, 3, NULL), "arrays of that stride",
                          far_apart[i]);
        }
        mape_column c[3] = {column(value, 8), column(value, 0), column(&n, 0)};
        c[0].size = far_apart[i];
        c[1].size = 8;
        makes_nothing(mape_map_columns(&job, it.pool, it.memcmp, 3, c, 3, NULL), "arrays of that size", far_apart[i]);
        c[0] = column(value, 8), c[1] = column(value, 8);
        makes_nothing(mape_map_columns(&job, it.pool, it.pow, far_apart[i], c, 2, NULL), "so many calls", far_apart[i]);
        /* An array behind a pointer, as long as a parameter says. */
        const void *to = value;
        c[0] = column(&to, 0), c[0].pointers = 1;
        c[1] = column(value, 0), c[1].size = 8;
        c[2] = column(&far_apart[i], 0);
        makes_nothing(mape_map_columns(&job, it.pool, it.memcmp, 3, c, 3, NULL), "an array of that length",
                      far_apart[i]);
    }
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        stage("at %p", nowhere[i]);
        mape_column c[3] = {column(value, 8), column(nowhere[i], 8), column(&n, 0)};
        makes_nothing(mape_map_columns(&job, it.pool, it.pow, 2, c, 2, NULL), "a column there", (uintptr_t)nowhere[i]);
        const void *to = nowhere[i];
        c[0] = column(&to, 0), c[0].pointers = 1;
        c[1] = column(value, 0), c[1].size = 64;
        static const size_t sixteen = 16;
        c[2] = column(&sixteen, 0);
        makes_nothing(mape_map_columns(&job, it.pool, it.memcmp, 1, c, 3, NULL), "an array there",
                      (uintptr_t)nowhere[i]);
        makes_nothing(mape_map_columns(&job, it.pool, it.memcmp, 1, nowhere[i], 3, NULL), "columns there",
                      (uintptr_t)nowhere[i]);
    }
    nothing_has_changed();
}

static void results(const struct row *row) {
    (void)row;
    set_up();
    uint64_t values[3] = {1, 2, 3}, out[3];
    double doubles[3] = {1, 2, 3};
    size_t lengths[3] = {4, 4, 4};
    mape_job *job = mapped(it.pool, it.square, values, 3, 8, NULL);
    wait_for(job);
    mape_column in = column(doubles, 8), counts = column(lengths, 8);
    mape_job *rows = called(it.pool, it.frexp, 3, &in, 1), *arrays = called(it.pool, it.bzero, 3, &counts, 1);
    memset(out, 0x77, sizeof out);
    for (size_t i = 0; i < COUNT(far_apart); i++) {
        size_t stride = far_apart[i], size = 0;
        stage("stride %#zx", stride);
        if (!__builtin_mul_overflow(stride, 2, &size) && !__builtin_add_overflow(size, 8, &size))
            is_refused(mape_job_gather(out, size, stride, NULL, job), "gathering at that stride", stride);
        is_refused(mape_job_gather(out, SIZE_MAX / 2, stride, NULL, job), "gathering at that stride", stride);
        is_refused(mape_job_gather(out, stride, 8, NULL, job), "gathering into so many bytes", stride);
        for (int sign = 1; sign >= -1; sign -= 2) {
            ptrdiff_t step = sign * (ptrdiff_t)stride;
            if (step < 4096 && step > -4096) continue;
            mape_column c[2] = {column(NULL, 0), column(out, step)};
            is_refused(mape_job_gather_columns(c, 2, NULL, rows), "a column of that stride", stride);
            c[0] = column(out, step), c[0].size = 8;
            is_refused(mape_job_gather_columns(c, 1, NULL, arrays), "arrays of that stride", stride);
        }
        mape_column c = column(out, 8);
        c.size = stride;
        is_refused(mape_job_gather_columns(&c, 1, NULL, arrays), "arrays of that size", stride);
    }
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        stage("at %p", nowhere[i]);
        is_refused(mape_job_gather(nowhere[i], 24, 8, NULL, job), "gathering there", (uintptr_t)nowhere[i]);
        mape_column c[2] = {column(NULL, 0), column(nowhere[i], 8)};
        is_refused(mape_job_gather_columns(c, 2, NULL, rows), "a column there", (uintptr_t)nowhere[i]);
    }
    for (int i = 0; i < 3; i++) assert_int_equal(out[i], 0x7777777777777777u);
    squares_are_right(job, values, 3);
    is_ok(it.pool, mape_job_gather(out, sizeof out, 8, NULL, job));
    assert_int_equal(out[2], 9);
    is_ok(it.pool, mape_job_release(job));
    is_ok(it.pool, mape_job_release(rows));
    is_ok(it.pool, mape_job_release(arrays));
    nothing_has_changed();
}

struct heard {
    int32_t code, calls;
};

static void hears(void *context, const mape_result *result) {
    struct heard *heard = context;
    heard->code = result->code;
    heard->calls++;
}

static void proxies(const struct row *row) {
    (void)row;
    set_up();
    struct heard heard = {0, 0};
    mape_native_fn made = NULL;
    static char bytes[8];
    is_ok(it.pool, mape_proxy_create(&made, it.pool, it.memcmp, NULL, hears, &heard));
    int (*compare)(const void *, const void *, size_t) = (int (*)(const void *, const void *, size_t))made;
    for (size_t i = 0; i < COUNT(far_apart); i++) {
        stage("length %#zx", far_apart[i]);
        heard.code = 0;
        assert_int_equal(compare(bytes, bytes, far_apart[i]), 0);
        assert_int_equal(heard.code, MAPE_E_OVERFLOW);
    }
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        stage("at %p", nowhere[i]);
        heard.code = 0;
        assert_int_equal(compare(bytes, nowhere[i], 16), 0);
        assert_int_equal(heard.code, MAPE_E_OVERFLOW);
    }
    /* They could be there, but nobody has room for a copy. */
    heard.code = 0;
    compare(bytes, bytes, (size_t)1 << 39);
    assert_int_equal(heard.code, MAPE_E_MEMORY);
    int32_t calls = heard.calls;
    assert_int_equal(compare("abc", "abc", 3), 0);
    assert_true(compare("abd", "abc", 3) > 0);
    assert_int_equal(heard.calls, calls);
    is_ok(it.pool, mape_proxy_release(made));
    nothing_has_changed();
}

/** Room for a message is a size_t: as much as there is will do. */
static void messages(const struct row *row) {
    (void)row;
    set_up();
    const size_t rooms[] = {64, (size_t)1 << 47, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX};
    mape_job *job = NULL;
    is_status(it.pool, MAPE_E_FUNCTION, mape_apply(&job, it.pool, 4000, NULL, 0, NULL));
    for (size_t i = 0; i < COUNT(rooms); i++) {
        char text[256];
        memset(text, 'x', sizeof text);
        size_t length = mape_message(text, rooms[i], it.pool);
        assert_true(length > 0 && length < 64);
        assert_int_equal(strnlen(text, sizeof text), length);
    }
    pool_works(it.pool);
}

static const struct fault extents[] = {
    {71, "in maps, applies and spans", items, BIRTHS, W2, CALLBACK, 0, NULL, 0},
    {71, "in globals, data and streams", other_inputs, BIRTHS, W2, CALLBACK, 0, NULL, 0},
    {71, "in columns that are read", columns, BIRTHS, W2, CALLBACK, 0, NULL, 0},
    {71, "in gathering", results, BIRTHS, W2, CALLBACK, 0, NULL, 0},
    {71, "in calls of proxies", proxies, BIRTHS, W1, CALLBACK, 0, NULL, 0},
    {71, "in messages", messages, BIRTHS, W1, 0, 0, NULL, 0},
};
TABLE(extents);
