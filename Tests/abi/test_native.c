/* test_native.c - typed functions over columns: all kinds of parameters, columns and results.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_functions.h"
#include "support.h"
#include "support_native.h"

#include <errno.h>
#include <math.h>
#include <signal.h>

#define CALLS 200000

static void numbers_come_from_arrays_and_go_to_arrays(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id half = typed(pool, "double native_half(double x)", native_half, 0);
    mape_function_id library = typed_in(pool, "double pow(double x, double y)", "libm.so.6");
    double *x = calloc(CALLS, sizeof *x), *y = calloc(CALLS, sizeof *y);
    for (int i = 0; i < CALLS; i++) x[i] = i * 0.25;
    mape_column in[] = {column(x, sizeof *x), column(&(double){1.5}, 0)}, out = column(y, sizeof *y);
    in[0].type = in[1].type = out.type = MAPE_TYPE_DOUBLE;
    gathered(pool, called(pool, half, CALLS, in, 1), &out, 1, 0);
    for (int i = 0; i < CALLS; i++) assert_true(y[i] == x[i] / 2);
    gathered(pool, called(pool, library, CALLS, in, 2), &out, 1, 0);
    for (int i = 0; i < CALLS; i++) assert_true(y[i] == pow(x[i], 1.5));
    /* Backwards, every third, into every second place; what lies between stays. */
    for (int i = 0; i < CALLS; i++) y[i] = -1;
    in[0] = column(&x[CALLS - 1], -3 * (ptrdiff_t)sizeof *x);
    out = column(y, 2 * sizeof *y);
    gathered(pool, called(pool, half, CALLS / 3, in, 1), &out, 1, 0);
    for (int i = 0; i < CALLS / 3; i++) {
        assert_true(y[2 * i] == x[CALLS - 1 - 3 * i] / 2);
        assert_true(y[2 * i + 1] == -1);
    }
    gathered(pool, called(pool, half, 0, in, 1), &out, 1, 0);
    free(x);
    free(y);
    pool_close(pool);
}

static void columns_in_a_buffer_are_read_there(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id half = typed(pool, "double native_half(double x)", native_half, 0);
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, CALLS * 16));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    struct {
        double value, other;
    } *rows = data;
    for (int i = 0; i < CALLS; i++) rows[i].value = i;
    uint64_t before = stats_of(pool).input_bytes;
    double *y = calloc(CALLS, sizeof *y);
    mape_column in = column(&rows[CALLS - 1].value, -(ptrdiff_t)sizeof *rows), out = column(y, sizeof *y);
    mape_job *job = NULL;
    is_ok(pool, mape_map_columns(&job, pool, half, CALLS, &in, 1, NULL));
    assert_true(stats_of(pool).input_bytes - before < 4096);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    gathered(pool, job, &out, 1, 0);
    for (int i = 0; i < CALLS; i++) assert_true(y[i] == (CALLS - 1 - i) / 2.0);
    /* Not aligned for its type: copied. */
    char *odd = data;
    memmove(odd + 1, data, 8 * sizeof(double));
    in = column(odd + 1, 16);
    gathered(pool, called(pool, half, 4, &in, 1), &out, 1, 0);
    for (int i = 0; i < 4; i++) assert_true(y[i] == i / 2.0);
    in = column(rows, CALLS * 16);
    is_status(pool, MAPE_E_ARGUMENT, mape_map_columns(&job, pool, half, 2, &in, 1, NULL));
    assert_non_null(strstr(message_of(pool), "columns[0].base"));
    free(y);
    pool_close(pool);
}

static void structures_arrays_and_texts(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id cross =
        typed(pool, "struct v {double x, y, z;}; struct v native_cross(struct v a, struct v b)", native_cross, 0);
    mape_function_id sort = typed(pool, "void native_sort(inout int v[8])", native_sort, 0);
    mape_function_id length = typed(pool, "int native_length(const char *text)", native_length, 0);
    mape_function_id name = typed(pool, "const char *[24] native_name(int code)", native_name, 0);
    struct vector a[50], b = {1, 2, 3}, c[50];
    for (int i = 0; i < 50; i++) a[i] = (struct vector){i, 2 * i, -i};
    mape_column in[2] = {column(a, sizeof *a), column(&b, 0)}, out = column(c, sizeof *c);
    in[0].type = MAPE_TYPE_STRUCT;
    gathered(pool, called(pool, cross, 50, in, 2), &out, 1, 0);
    for (int i = 0; i < 50; i++) {
        struct vector right = native_cross(a[i], b);
        assert_memory_equal(&c[i], &right, sizeof right);
    }
    int rows[3][8] = {{8, 7, 6, 5, 4, 3, 2, 1}, {1, 3, 2}, {9, 9, -9}}, sorted[3][8];
    in[0] = column(rows, sizeof rows[0]);
    out = column(sorted, sizeof sorted[0]);
    gathered(pool, called(pool, sort, 3, in, 1), &out, 1, 0);
    for (int i = 0; i < 3; i++) {
        native_sort(rows[i]);
        assert_memory_equal(rows[i], sorted[i], sizeof rows[i]);
    }
    const char *texts[] = {"", "four", NULL, "a text that is longer than a span"};
    int lengths[4];
    in[0] = column(texts, sizeof *texts);
    in[0].type = MAPE_TYPE_STRING;
    out = column(lengths, sizeof *lengths);
    gathered(pool, called(pool, length, 4, in, 1), &out, 1, 0);
    assert_int_equal(lengths[0], 0);
    assert_int_equal(lengths[1], 4);
    assert_int_equal(lengths[2], -1);
    assert_int_equal(lengths[3], 33);
    /* A returned text that is too long fails its call, one that is NULL is empty. */
    char names[5][24];
    memset(names, 'x', sizeof names);
    in[0] = column((int[]){1, 2, 3, 4, 1}, sizeof(int));
    out = column(names, sizeof names[0]);
    mape_job *job = called(pool, name, 5, in, 1);
    result_ended(job, 2, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, MAPE_E_OVERFLOW);
    assert_non_null(strstr(result_of(job, 2).message, "more than 23 bytes"));
    gathered(pool, job, &out, 1, 1);
    assert_string_equal(names[0], "one");
    assert_string_equal(names[1], "two");
    assert_int_equal(names[2][0], 'x');
    assert_string_equal(names[3], "");
    assert_string_equal(names[4], "one");
    assert_int_equal(names[4][23], 0);
    pool_close(pool);
}

static void lengths_are_parameters(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id sum = typed(pool, "int native_sum(const double *v [n], size_t n, double *out [1])", native_sum, 0);
    mape_function_id small = typed(pool, "int native_sum_signed(const double *v [n], int8_t n)", native_sum_signed, 0);
    mape_function_id repeat =
        typed(pool, "void native_repeat(char c, unsigned short n, char *out [n], int *twice [1])", native_repeat, 0);
    mape_function_id bytes =
        typed(pool, "int native_count(const void *data [size], size_t size, unsigned char byte)", native_count, 0);
    double values[] = {1, 2, 4, 8, 16, 32}, sums[4];
    int counts[4];
    size_t n[] = {3, 0, 6, 1};
    /* By pointers, one array for all, and rows side by side. */
    const double *arrays[] = {values, values + 1, values, NULL};
    mape_column in[] = {column(arrays, sizeof *arrays), column(n, sizeof *n), column(NULL, 0)};
    mape_column out[] = {column(counts, sizeof *counts), column(sums, sizeof *sums)};
    in[0].pointers = 1;
    mape_job *job = called(pool, sum, 4, in, 2);
    result_ended(job, 3, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    gathered(pool, job, out, 2, 1);
    assert_true(counts[0] == 3 && sums[0] == 7 && counts[1] == 0 && sums[1] == 0 && counts[2] == 6 && sums[2] == 63);
    in[0] = column(arrays, 0);
    in[0].pointers = 1;
    gathered(pool, called(pool, sum, 4, in, 2), out, 2, 0);
    assert_true(sums[0] == 7 && sums[2] == 63 && sums[3] == 1);
    in[0] = column(values, 2 * sizeof *values);
    in[0].size = 2 * sizeof *values;
    is_ok(pool, mape_map_columns(&job, pool, sum, 3, in, 2, NULL));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, MAPE_E_OVERFLOW);
    assert_non_null(strstr(result_of(job, 0).message, "\"v\" is to have 24 bytes, but there are 16"));
    gathered(pool, job, out, 2, 2);
    in[1] = column((int8_t[]){2, -1, 1}, 1);
    job = called(pool, small, 3, in, 2);
    result_ended(job, 1, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, MAPE_E_ARGUMENT);
    assert_non_null(strstr(result_of(job, 1).message, "is -1"));
    gathered(pool, job, out, 1, 1);
    assert_true(counts[0] == 3 && counts[2] == 16);
    /* Outputs that differ in length, and one that is fixed beside them. */
    char texts[3][8];
    memset(texts, '-', sizeof texts);
    int twice[3];
    in[0] = column("abc", 1);
    in[1] = column((unsigned short[]){2, 0, 8}, 2);
    out[0] = column(texts, sizeof texts[0]);
    out[1] = column(twice, sizeof *twice);
    out[0].size = 7;
    job = called(pool, repeat, 3, in, 2);
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather_columns(out, 2, NULL, job));
    assert_non_null(strstr(message_of(pool), "\"out\" (char *) has 8 bytes in call 2"));
    assert_int_equal(texts[0][0], '-');
    out[0].size = 8;
    gathered(pool, job, out, 2, 0);
    assert_memory_equal(texts, "aa--------------cccccccc", 24);
    assert_true(twice[0] == 4 && twice[1] == 0 && twice[2] == 16);
    in[0] = column((const char *[]){"banana"}, 0);
    in[0].pointers = 1;
    in[1] = column((size_t[]){6, 3, 1}, sizeof(size_t));
    in[2] = column("a", 0);
    gathered(pool, called(pool, bytes, 3, in, 3), &out[1], 1, 0);
    assert_true(twice[0] == 3 && twice[1] == 1 && twice[2] == 0);
    pool_close(pool);
}

static void errno_and_what_stands_behind_the_dots(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id tells = typed(pool, "int native_errno(int value)", native_errno, MAPE_NATIVE_ERRNO);
    mape_function_id behind =
        typed(pool, "int64_t native_sum_behind(int count, ..., int64_t a, double b, int64_t c, double d)",
              native_sum_behind, 0);
    mape_function_id prints = typed_in(
        pool, "int snprintf(char *out [32], size_t n, const char *format, ..., double x, int i, const char *s)",
        "libc.so.6");
    int values[] = {EDOM, 0, ERANGE}, results[3], errors[3];
    mape_column in[6] = {column(values, sizeof *values)};
    mape_column out[] = {column(results, sizeof *results), column(errors, sizeof *errors)};
    gathered(pool, called(pool, tells, 3, in, 1), out, 2, 0);
    for (int i = 0; i < 3; i++) assert_true(errors[i] == values[i] && results[i] == -values[i]);
    int64_t sums[2];
    in[0] = column((int[]){1, 2}, sizeof(int));
    in[1] = column((int64_t[]){100, 200}, 8);
    in[2] = column((double[]){0.5, 7.5}, 8);
    in[3] = column(&(int64_t){1000}, 0);
    in[4] = column(&(double){3}, 0);
    out[0] = column(sums, sizeof *sums);
    gathered(pool, called(pool, behind, 2, in, 5), out, 1, 0);
    assert_true(sums[0] == 100 && sums[1] == 1210);
    char texts[2][32];
    in[0] = column(&(size_t){32}, 0);
    in[1] = column((const char *[]){"%.2f|%d|%s"}, 0);
    in[2] = column((double[]){1.5, -2}, 8);
    in[3] = column((int[]){7, -8}, 4);
    in[4] = column((const char *[]){"one", "two"}, sizeof(char *));
    out[0] = column(results, sizeof *results);
    out[1] = column(texts, sizeof *texts);
    gathered(pool, called(pool, prints, 2, in, 5), out, 2, 0);
    assert_string_equal(texts[0], "1.50|7|one");
    assert_string_equal(texts[1], "-2.00|-8|two");
    assert_true(results[0] == 10 && results[1] == 12);
    pool_close(pool);
}

static void calls_are_items_of_a_map_an_apply_and_a_stream(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id half = typed(pool, "double native_half(double x)", native_half, 0);
    mape_function_id sum = typed(pool, "int native_sum(const double *v [n], size_t n, double *out [1])", native_sum, 0);
    double x[100];
    for (int i = 0; i < 100; i++) x[i] = i;
    mape_job *job = mapped(pool, half, x, 100, sizeof *x, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < 100; i++) result_is(job, i, &(double){(double)i / 2}, sizeof(double));
    struct {
        mape_native_span v;
        uint64_t n;
        double values[3];
    } item = {{24, 24}, 3, {1, 2, 4}};
    struct {
        int count;
        double sum;
    } expected = {3, 7};
    job = applied(pool, sum, &item, sizeof item);
    wait_for(job);
    mape_result result = result_of(job, 0);
    assert_int_equal(result.size, 16);
    assert_int_equal(*(const int *)result.data, expected.count);
    assert_true(((const double *)result.data)[1] == expected.sum);
    double got = 0;
    mape_column out[] = {column(NULL, 0), column(&got, 8)};
    is_ok(pool, mape_job_gather_columns(out, 2, NULL, job));
    assert_true(got == 7);
    /* Spans that leave the item, items that are too short. */
    item.v.size = 32;
    item.n = 4;
    job = applied(pool, sum, &item, sizeof item);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, MAPE_E_OVERFLOW);
    item.v.offset = UINT64_MAX - 7;
    job = applied(pool, sum, &item, sizeof item);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, MAPE_E_OVERFLOW);
    job = applied(pool, sum, &item, 23);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, MAPE_E_ARGUMENT);
    mape_job *stream = NULL;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS;
    is_ok(pool, mape_stream_open(&stream, pool, half, &config));
    is_ok(pool, mape_stream_push(NULL, stream, &(mape_span){&x[7], 8}, 1));
    mape_event event = MAPE_EVENT_INIT;
    is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
    assert_int_equal(event.type, MAPE_EVENT_ITEM);
    assert_true(event.result.size == 8 && *(const double *)event.result.data == 3.5);
    is_ok(pool, mape_stream_finish(stream));
    pool_close(pool);
}

static void functions_without_parameters_or_results_and_with_a_setup(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id nothing = typed(pool, "void native_nothing(void)", native_nothing, 0);
    mape_function description = MAPE_FUNCTION_INIT;
    description.prototype = "int native_setups(void)";
    description.native = (mape_native_fn)native_setups;
    description.setup = native_set_up;
    mape_function_id setups = 0;
    is_ok(pool, mape_function_register(&setups, pool, &description));
    mape_job *job = called(pool, nothing, 1000, NULL, 0);
    assert_int_equal(progress_of(job).ok, 1000);
    gathered(pool, job, NULL, 0, 0);
    int results[20];
    mape_column out = column(results, sizeof *results);
    gathered(pool, called(pool, setups, 20, NULL, 0), &out, 1, 0);
    for (int i = 0; i < 20; i++) assert_int_equal(results[i], 1);
    pool_close(pool);
}

static void parameters_are_told(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function =
        typed(pool, "int native_sum(const double *v [n][2], size_t n, double *out [1])", native_sum, MAPE_NATIVE_ERRNO);
    mape_prototype_info info = MAPE_PROTOTYPE_INFO_INIT;
    is_ok(pool, mape_function_prototype(&info, pool, function));
    assert_string_equal(info.name, "native_sum");
    assert_true(info.parameters == 3 && info.fixed == 3 && !info.is_variadic && info.inputs == 2 && info.outputs == 3);
    assert_true(info.item_size == 24 && info.result_size == 24);
    mape_parameter_info p = MAPE_PARAMETER_INFO_INIT;
    is_ok(pool, mape_function_parameter(&p, pool, function, 0));
    assert_string_equal(p.name, "v");
    assert_string_equal(p.type_name, "const double *");
    assert_true(p.type == MAPE_TYPE_DOUBLE && p.direction == MAPE_DIRECTION_IN && p.is_array &&
                p.length_parameter == 1);
    assert_true(p.length == 2 && p.element_size == 8 && p.input == 0 && p.output == -1 && p.input_offset == 0);
    is_ok(pool, mape_function_parameter(&p, pool, function, 2));
    assert_true(p.direction == MAPE_DIRECTION_OUT && p.input == -1 && p.output == 1 && p.output_offset == 8);
    is_ok(pool, mape_function_parameter(&p, pool, function, MAPE_PARAMETER_RETURN));
    assert_true(p.type == MAPE_TYPE_INT32 && p.output == 0 && p.direction == MAPE_DIRECTION_OUT);
    is_ok(pool, mape_function_parameter(&p, pool, function, MAPE_PARAMETER_ERRNO));
    assert_true(p.type == MAPE_TYPE_INT32 && p.output == 2 && p.output_offset == 16);
    is_status(pool, MAPE_E_INDEX, mape_function_parameter(&p, pool, function, 3));
    is_status(pool, MAPE_E_STATE, mape_function_prototype(&info, pool, registered(pool, run_square)));
    is_status(pool, MAPE_E_FUNCTION, mape_function_prototype(&info, pool, 99));
    pool_close(pool);
}

/** The largest there is, by value there and back. */
static void a_structure_of_65536_bytes(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id next =
        typed(pool, "{unsigned char bytes[65536];} native_next({unsigned char bytes[65536];} all)", native_next, 0);
    struct largest *in = malloc(2 * sizeof *in), *results = calloc(2, sizeof *results);
    for (size_t i = 0; i < 2 * sizeof *in; i++) ((unsigned char *)in)[i] = (unsigned char)(i * 31 >> 3);
    mape_column from = column(in, sizeof *in), to = column(results, sizeof *results);
    gathered(pool, called(pool, next, 2, &from, 1), &to, 1, 0);
    for (size_t i = 0; i < 2 * sizeof *in; i++)
        assert_int_equal(((unsigned char *)results)[i], (unsigned char)((i * 31 >> 3) + 1));
    free(in);
    free(results);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(numbers_come_from_arrays_and_go_to_arrays),
        BOTH(columns_in_a_buffer_are_read_there),
        BOTH(structures_arrays_and_texts),
        BOTH(a_structure_of_65536_bytes),
        BOTH(lengths_are_parameters),
        BOTH(errno_and_what_stands_behind_the_dots),
        BOTH(calls_are_items_of_a_map_an_apply_and_a_stream),
        BOTH(functions_without_parameters_or_results_and_with_a_setup),
        EXEC_ONLY(parameters_are_told),
    };
    return run_abi_tests("native", tests, COUNT(tests));
}
