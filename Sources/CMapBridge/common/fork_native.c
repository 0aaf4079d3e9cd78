/* fork_native.c - making calls of typed functions, with libffi
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here. Of libffi are used ffi_prep_cif,
 * ffi_prep_cif_var and ffi_call: they compute on their arguments and on the stack (libffi 3.4, src/prep_cif.c, src/x86/ffi64.c,
 * src/aarch64/ffi.c), without a lock or an allocation; its closures are not used here.
 */
#include "native_calls.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- inputs ---- */

static int fail(mape_task *task, int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(task->fail_text, sizeof task->fail_text, format, arguments);
    va_end(arguments);
    task->failed = 1;
    task->fail_code = code;
    task->fail_place = 0;
    task->fail_size = size < 0 ? 0
                      : size < (int)sizeof task->fail_text
                          ? (uint32_t)size
                          : (uint32_t)mapb_whole(task->fail_text, sizeof task->fail_text - 1);
    return MAPB_NATIVE_FAILED;
}

/* Where an item's inputs are. */
struct source {
    const uint8_t *input;
    const mapb_column *columns; /* NULL: */
    const uint8_t *item;        /* a packed item, */
    uint64_t size;              /* of so many bytes. */
    uint64_t index;
};

static int varies(const mapb_native_parameter *p) { return p->form == MAPB_FORM_TEXT || p->length_parameter >= 0; }

static int open_source(mape_task *task, const native_prepared *n, uint64_t i, struct source *out) {
    const mapb_job *job = task->job;
    uint64_t index = task->first + i;
    *out = (struct source){.input = task->input, .index = index};
    if (job->columns) {
        out->columns = (const mapb_column *)(task->input + job->columns);
        return 0;
    }
    if (job->spans) {
        const mapb_span *span = (const mapb_span *)(task->input + (job->spans + (index & job->stride) * sizeof *span));
        out->item = task->input + span->offset;
        out->size = span->size;
    } else {
        out->item = task->input + (job->base + index * job->stride);
        out->size = job->size;
    }
    if (out->size >= n->plan->item_size) return 0;
    return fail(task, MAPE_E_ARGUMENT, "the item has %llu bytes; the inputs need %llu", (unsigned long long)out->size,
                (unsigned long long)n->plan->item_size);
}

/* An input's bytes, NULL if the host gave NULL, and how many there are. */
static int find_input(mape_task *task, const struct source *from, const mapb_native_parameter *p, const uint8_t **out,
                      uint64_t *size) {
    if (from->columns) {
        const mapb_column *column = &from->columns[p->column];
        if (column->spans) {
            const mapb_span *span =
                (const mapb_span *)(from->input + (column->spans + (column->stride ? from->index : 0) * sizeof *span));
            *out = span->offset ? from->input + span->offset : NULL;
            *size = span->size;
        } else {
            *out = from->input + (column->base + from->index * (uint64_t)column->stride);
            *size = column->size;
        }
        return 0;
    }
    *out = from->item + p->item_offset;
    *size = p->length * p->element_size;
    if (!varies(p)) return 0;
    mape_native_span span;
    memcpy(&span, *out, sizeof span);
    *size = span.size;
    *out = NULL;
    if (!span.offset) return 0;
    if (span.offset > from->size || span.size > from->size - span.offset) {
        return fail(task, MAPE_E_OVERFLOW,
                    "parameter \"%s\": its span, %llu bytes from %llu on, leaves the item's %llu bytes", p->name,
                    (unsigned long long)span.size, (unsigned long long)span.offset, (unsigned long long)from->size);
    }
    *out = from->item + span.offset;
    if (p->form == MAPB_FORM_TEXT && (span.size == 0 || (*out)[span.size - 1] != 0)) {
        return fail(task, MAPE_E_ARGUMENT, "parameter \"%s\": its text does not end with NUL", p->name);
    }
    return 0;
}

/* How many bytes an array has in this call. */
static int array_size(mape_task *task, const native_prepared *n, const struct source *from,
                      const mapb_native_parameter *p, uint64_t *out) {
    uint64_t factor = p->length * p->element_size;
    *out = factor;
    if (p->length_parameter < 0) return 0;
    const mapb_native_parameter *counter = &n->parameters[p->length_parameter];
    const uint8_t *at;
    uint64_t size;
    int end = find_input(task, from, counter, &at, &size);
    if (end) return end;
    const mapb_native_type *type = &mapb_native_types((mapb_native *)n->plan)[counter->type];
    uint64_t count = 0;
    int64_t signed_count = 0;
    switch (type->kind) {
    case MAPE_TYPE_INT8: signed_count = *(const int8_t *)at; break;
    case MAPE_TYPE_INT16: memcpy(&count, at, 2), signed_count = (int16_t)count; break;
    case MAPE_TYPE_INT32: memcpy(&count, at, 4), signed_count = (int32_t)count; break;
    case MAPE_TYPE_INT64: memcpy(&signed_count, at, 8); break;
    default: memcpy(&count, at, counter->element_size); signed_count = 0;
    }
    if (signed_count < 0) {
        return fail(task, MAPE_E_ARGUMENT, "parameter \"%s\", the length of \"%s\", is %lld", counter->name, p->name,
                    (long long)signed_count);
    }
    if (signed_count > 0) count = (uint64_t)signed_count;
    if (count > (UINT64_C(1) << 40) / factor) {
        return fail(task, MAPE_E_OVERFLOW, "parameter \"%s\", the length of \"%s\", is %llu: more than memory can hold",
                    counter->name, p->name, (unsigned long long)count);
    }
    *out = factor * count;
    return 0;
}

uint64_t mapb_native_measure(mape_task *task, const void *prepared, uint64_t i) {
    const native_prepared *n = prepared;
    struct source from;
    if (open_source(task, n, i, &from)) return 0;
    uint64_t total = rounded(n->plan->record_size);
    for (uint32_t k = 0; k < n->plan->parameter_count; k++) {
        const mapb_native_parameter *p = &n->parameters[k];
        if (!p->is_out || !varies(p)) continue;
        uint64_t size;
        if (array_size(task, n, &from, p, &size)) return 0;
        total += rounded(size);
    }
    return total;
}

/* ---- calling ---- */

/* Finds the inputs, and says in n->values where libffi gets each argument from. */
static int load_arguments(mape_task *task, native_prepared *n, const struct source *from, uint8_t *record) {
    uint64_t tail = rounded(n->plan->record_size);
    for (uint32_t k = 0; k < n->plan->parameter_count; k++) {
        const mapb_native_parameter *p = &n->parameters[k];
        const uint8_t *in = NULL;
        uint64_t have = 0, size = 0;
        int end = p->is_in ? find_input(task, from, p, &in, &have) : 0;
        if (end) return end;
        if (p->form == MAPB_FORM_VALUE) {
            n->values[k] = (void *)in;
            continue;
        }
        n->values[k] = &n->pointers[k];
        n->pointers[k] = (void *)in;
        if (p->form == MAPB_FORM_TEXT) continue;
        if ((end = array_size(task, n, from, p, &size))) return end;
        if (in && size > have) {
            return fail(task, MAPE_E_OVERFLOW, "parameter \"%s\" is to have %llu bytes, but there are %llu", p->name,
                        (unsigned long long)size, (unsigned long long)have);
        }
        if (!p->is_out) continue;
        uint8_t *place = record + p->record_offset;
        if (varies(p)) {
            mape_native_span span = {tail, size};
            memcpy(place, &span, sizeof span);
            place = record + tail;
            tail += rounded(size);
        }
        if (in) memcpy(place, in, size);
        n->pointers[k] = place;
    }
    return 0;
}

static int store_text(mape_task *task, const mapb_native *plan, const char *text, uint8_t *record) {
    size_t size = text ? strnlen(text, plan->result_size) : 0;
    if (size == plan->result_size) {
        return fail(task, MAPE_E_OVERFLOW, "the returned text has more than %llu bytes",
                    (unsigned long long)plan->result_size - 1);
    }
    if (size) memcpy(record, text, size);
    return 0;
}

static int call(mape_task *task, native_prepared *n, const struct source *from, uint8_t *record, uint64_t record_size) {
    const mapb_native *plan = n->plan;
    /* libffi widens what is smaller than a word, and may write a whole one. */
    union {
        ffi_arg word;
        const char *text;
        uint8_t bytes[16];
    } small;
    int in_place = plan->result_form == MAPB_FORM_VALUE && plan->result_size >= sizeof(ffi_arg);
    if (plan->flags & MAPB_NATIVE_CLEAR) memset(record, 0, record_size);
    int end = load_arguments(task, n, from, record);
    if (end) return end;
    if (n->split >= 0) {
        void **at = n->values + n->split;
        memmove(at + 2, at + 1, (plan->parameter_count - (uint32_t)n->split - 1) * sizeof *at);
        at[1] = (uint8_t *)at[0] + 8;
    }
    errno = 0;
    ffi_call(&n->call, n->function, in_place ? record : small.bytes, n->values);
    int error = errno;
    if (!mapb_is_alone(task)) mapb_stray_exit(); /* "int fork(void)" is a function as well. */
    if (plan->result_form == MAPB_FORM_VALUE && !in_place) memcpy(record, small.bytes, plan->result_size);
    if (plan->flags & MAPB_NATIVE_ERRNO) memcpy(record + plan->errno_offset, &error, sizeof error);
    if (plan->result_form == MAPB_FORM_TEXT) return store_text(task, plan, small.text, record);
    return 0;
}

int mapb_native_call(mape_task *task, void *prepared, uint64_t i, uint8_t *record, uint64_t size) {
    struct source from;
    int end = open_source(task, prepared, i, &from);
    return end ? end : call(task, prepared, &from, record, size);
}

/* Marks item i. False: it is not to begin. */
static inline int begin(mape_task *task, uint64_t i) {
    mapb_store(&task->outbox->current, task->ticket << 32 | (uint32_t)(i + 1));
    return mapb_yield_after_mark(task->inbox) < task->ticket && !mapb_job_cancelled(task->job);
}

static int run_general(mape_task *task, native_prepared *n, uint8_t *records, uint64_t *position, uint64_t end) {
    uint64_t size = n->plan->record_size;
    for (uint64_t i = *position; i < end; i++) {
        *position = i;
        if (!begin(task, i)) return MAPB_NATIVE_STOPPED;
        int how = mapb_native_call(task, n, i, records + i * size, size);
        if (how) return how;
    }
    *position = end;
    return MAPB_NATIVE_DONE;
}

/* Loops for numbers of one type, in columns: a fraction of what libffi's general call takes (Benchmarks: native_scalar). */
#define READ(type, k)                                                                                                  \
    ({                                                                                                                 \
        type value_;                                                                                                   \
        memcpy(&value_, at[k], sizeof value_);                                                                         \
        at[k] += stride[k];                                                                                            \
        value_;                                                                                                        \
    })
#define LOOP(type, ...)                                                                                                \
    for (; i < end; i++) {                                                                                             \
        if (!begin(task, i)) break;                                                                                    \
        type result = __VA_ARGS__;                                                                                     \
        if (!mapb_peek32(alone)) mapb_stray_exit();                                                                    \
        memcpy(records + i * sizeof result, &result, sizeof result);                                                   \
    }
#define CASES(base, type)                                                                                              \
    case base + 1: LOOP(type, ((type(*)(type))f)(READ(type, 0))) break;                                                \
    case base + 2: {                                                                                                   \
        LOOP(type, ({                                                                                                  \
                 type a = READ(type, 0), b = READ(type, 1);                                                            \
                 ((type(*)(type, type))f)(a, b);                                                                       \
             }))                                                                                                       \
        break;                                                                                                         \
    }                                                                                                                  \
    case base + 3: {                                                                                                   \
        LOOP(type, ({                                                                                                  \
                 type a = READ(type, 0), b = READ(type, 1), c = READ(type, 2);                                         \
                 ((type(*)(type, type, type))f)(a, b, c);                                                              \
             }))                                                                                                       \
        break;                                                                                                         \
    }                                                                                                                  \
    case base + 4: {                                                                                                   \
        LOOP(type, ({                                                                                                  \
                 type a = READ(type, 0), b = READ(type, 1), c = READ(type, 2), d = READ(type, 3);                      \
                 ((type(*)(type, type, type, type))f)(a, b, c, d);                                                     \
             }))                                                                                                       \
        break;                                                                                                         \
    }

static int run_shortcut(mape_task *task, const native_prepared *n, const mapb_column *columns, uint8_t *records,
                        uint64_t *position, uint64_t end) {
    void (*f)(void) = n->function;
    const uint32_t *alone = task->alone;
    const uint8_t *at[4] = {0};
    int64_t stride[4] = {0};
    uint64_t i = *position;
    for (uint32_t k = 0; k < n->plan->parameter_count; k++) {
        const mapb_column *column = &columns[n->parameters[k].column];
        stride[k] = column->stride;
        at[k] = task->input + (column->base + (task->first + i) * (uint64_t)column->stride);
    }
    switch (n->shortcut) {
        CASES(NATIVE_DOUBLE, double)
        CASES(NATIVE_FLOAT, float)
        CASES(NATIVE_INT32, int32_t)
        CASES(NATIVE_INT64, int64_t)
    default: break;
    }
    *position = i;
    return i < end ? MAPB_NATIVE_STOPPED : MAPB_NATIVE_DONE;
}

int mapb_native_run(mape_task *task, void *prepared, uint8_t *records, uint64_t *position, uint64_t end) {
    native_prepared *n = prepared;
    if (n->shortcut && task->job->columns) {
        return run_shortcut(task, n, (const mapb_column *)(task->input + task->job->columns), records, position, end);
    }
    return run_general(task, n, records, position, end);
}
