/* mapb_native.h - typed functions: the plan that the host makes of a prototype, and how workers make calls by it
 *
 * A *plan* says how a call is made. The host writes it into the input memory when the function is registered, behind its record;
 * from it a worker prepares libffi's call interface, once, in its setup request; the host does the same for proxies.
 *
 *   mapb_native │ types │ members │ parameters
 *
 * A call reads its inputs from columns (an array per parameter) or from a packed item, and writes a *record*: all its outputs. The host
 * has checked the types, and that the parts of the plan fit together; the worker checks lengths that come with the inputs at each call.
 */
#ifndef MAPB_NATIVE_H
#define MAPB_NATIVE_H

#include "mapb_layout.h"

struct mape_task;

enum mapb_native_form { MAPB_FORM_NONE = 0, MAPB_FORM_VALUE = 1, MAPB_FORM_ARRAY = 2, MAPB_FORM_TEXT = 3 };

enum mapb_native_flags {
    MAPB_NATIVE_ERRNO = 1,  /* errno is an output. */
    MAPB_NATIVE_CLEAR = 2,  /* Records are zeroed before the call. */
    MAPB_NATIVE_VARIES = 4, /* Records differ in size. */
    MAPB_NATIVE_VARIADIC = 8
};

typedef struct mapb_native {
    uint32_t bytes; /* Of the whole plan. */
    uint32_t flags;
    uint32_t type_count;
    uint32_t member_count;
    uint32_t element_count; /* Pointers that libffi needs for the elements of structures. */
    uint32_t parameter_count;
    uint32_t fixed_count; /* Parameters before the dots. */
    uint32_t result_form; /* An enum mapb_native_form. */
    uint32_t result_type;
    uint32_t reserved;
    uint64_t result_size; /* Bytes of the value; of a text's place. It is at the record's start. */
    uint64_t errno_offset;
    uint64_t item_size;
    uint64_t record_size; /* Without what spans refer to. */
} mapb_native;

/** A type: a number, or a structure with `count` members from `first` on. */
typedef struct mapb_native_type {
    uint32_t kind; /* An enum mape_type. */
    uint32_t first;
    uint32_t count;
    uint32_t reserved;
} mapb_native_type;

typedef struct mapb_native_member {
    uint32_t type;
    uint32_t repeat;
} mapb_native_member;

typedef struct mapb_native_parameter {
    uint32_t form;
    uint32_t type; /* Its own, or its elements'. */
    uint32_t is_in;
    uint32_t is_out;
    int32_t length_parameter; /* -1: none. */
    uint32_t column;
    uint64_t length; /* Elements, for each that length_parameter counts. */
    uint64_t element_size;
    uint64_t item_offset;
    uint64_t record_offset;
    char name[32]; /* For messages, cut. */
} mapb_native_parameter;

/** Where the values of one input lie, for all calls of a job. */
typedef struct mapb_column {
    uint64_t base; /* Call i's is at base + i * stride, unless there are spans. */
    int64_t stride;
    uint64_t size; /* Bytes there. */
    uint64_t
        spans; /* Offset of mapb_span entries, or 0: number i is call i's, with a stride of 0 the first is everybody's. */
} mapb_column;

/** How mapb_native_run ended. */
enum mapb_native_end {
    MAPB_NATIVE_DONE = 0,
    MAPB_NATIVE_STOPPED = 1, /* Before an item: the job was cancelled, or the rest of the range reclaimed. */
    MAPB_NATIVE_FAILED = 2   /* An item could not be called; code and text are the task's. */
};

/** Where the parts of a plan are. Used by the host too. */
static inline mapb_native_type *mapb_native_types(mapb_native *plan) { return (mapb_native_type *)(plan + 1); }
static inline mapb_native_member *mapb_native_members(mapb_native *plan) {
    return (mapb_native_member *)(mapb_native_types(plan) + plan->type_count);
}
static inline mapb_native_parameter *mapb_native_parameters(mapb_native *plan) {
    return (mapb_native_parameter *)(mapb_native_members(plan) + plan->member_count);
}

/** An address of code as a function. */
MAPB_FORK_SAFE static inline mape_native_fn mapb_native_code(void *address) { return (mape_native_fn)address; }

/** Bytes that mapb_native_prepare needs for a plan. */
MAPB_FORK_SAFE uint64_t mapb_native_memory(const mapb_native *plan);
/** Prepares calls by a plan, in memory of that size, zeroed, that stays with the plan. function may be NULL when none is to be
 *  made. @return 0; or MAPE_E_UNSUPPORTED when libffi refuses. */
MAPB_FORK_SAFE int mapb_native_prepare(const mapb_native *plan, void (*function)(void), void *memory);
/** The size of a type according to libffi, once prepared, to compare with ours. */
uint64_t mapb_native_type_size(const void *prepared, uint32_t type);

/** A number type that C's headers have a name for. */
typedef struct mapb_type_name {
    const char *name;
    uint32_t size;
    uint32_t is_signed;
} mapb_type_name;
/** All of them: static. */
const mapb_type_name *mapb_type_names(uint32_t *count);

MAPB_FORK_SAFE uint32_t mapb_native_flags_of(const void *prepared);
MAPB_FORK_SAFE uint64_t mapb_native_record_size(const void *prepared);
/** Calls items *position to end of the running request, with results side by side in records from that of item 0 on; marks each
 *  before it begins. *position is the item that was reached. @return an enum mapb_native_end. */
MAPB_FORK_SAFE int mapb_native_run(struct mape_task *task, void *prepared, uint8_t *records, uint64_t *position,
                                   uint64_t end);
/** Bytes of the record of item i, of records that differ. 0: it cannot be called; code and text are the task's. */
MAPB_FORK_SAFE uint64_t mapb_native_measure(struct mape_task *task, const void *prepared, uint64_t i);
/** Calls item i. @return 0, or MAPB_NATIVE_FAILED. */
MAPB_FORK_SAFE int mapb_native_call(struct mape_task *task, void *prepared, uint64_t i, uint8_t *record, uint64_t size);

_Static_assert(sizeof(mapb_native) == 72 && sizeof(mapb_native_type) == 16 && sizeof(mapb_native_member) == 8,
               "layout");
_Static_assert(sizeof(mapb_native_parameter) == 88 && sizeof(mapb_column) == 32, "layout");

#endif
