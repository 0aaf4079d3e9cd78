/* fork_native_prepare.c - preparing calls of typed functions: a plan becomes what libffi calls by
 *
 * Runs between fork and the user's function: see fork_native.c.
 */
#include "native_calls.h"

#include <string.h>

/* libffi's own descriptions are shared and constant, so each type of a plan is a copy of one. */
static int number_type(uint32_t kind, ffi_type *out) {
    switch (kind) {
    case MAPE_TYPE_BOOL: *out = ffi_type_uint8; return 1;
    case MAPE_TYPE_INT8: *out = ffi_type_sint8; return 1;
    case MAPE_TYPE_UINT8: *out = ffi_type_uint8; return 1;
    case MAPE_TYPE_INT16: *out = ffi_type_sint16; return 1;
    case MAPE_TYPE_UINT16: *out = ffi_type_uint16; return 1;
    case MAPE_TYPE_INT32: *out = ffi_type_sint32; return 1;
    case MAPE_TYPE_UINT32: *out = ffi_type_uint32; return 1;
    case MAPE_TYPE_INT64: *out = ffi_type_sint64; return 1;
    case MAPE_TYPE_UINT64: *out = ffi_type_uint64; return 1;
    case MAPE_TYPE_FLOAT: *out = ffi_type_float; return 1;
    case MAPE_TYPE_DOUBLE: *out = ffi_type_double; return 1;
    case MAPE_TYPE_LONG_DOUBLE: *out = ffi_type_longdouble; return 1;
    case MAPE_TYPE_COMPLEX_FLOAT: *out = ffi_type_complex_float; return 1;
    case MAPE_TYPE_COMPLEX_DOUBLE: *out = ffi_type_complex_double; return 1;
    case MAPE_TYPE_COMPLEX_LONG_DOUBLE: *out = ffi_type_complex_longdouble; return 1;
    case MAPE_TYPE_BYTE: *out = ffi_type_uint8; return 1;
    default: return 0;
    }
}

uint64_t mapb_native_memory(const mapb_native *plan) {
    return rounded(sizeof(native_prepared)) + rounded(plan->type_count * sizeof(ffi_type)) +
           (4 * ((uint64_t)plan->parameter_count + 1) + plan->element_count) * sizeof(void *);
}

/* Where this process calls without libffi: numbers of one type in registers, and nothing else to be done. */
static uint32_t shortcut_of(const mapb_native *plan, const mapb_native_type *types, const mapb_native_parameter *p) {
    if (plan->flags != 0 || plan->result_form != MAPB_FORM_VALUE) return NATIVE_GENERAL;
    if (plan->parameter_count < 1 || plan->parameter_count > 4) return NATIVE_GENERAL;
    uint32_t kind = types[plan->result_type].kind;
    for (uint32_t k = 0; k < plan->parameter_count; k++) {
        if (p[k].form != MAPB_FORM_VALUE || types[p[k].type].kind != kind) return NATIVE_GENERAL;
    }
    switch (kind) {
    case MAPE_TYPE_DOUBLE: return NATIVE_DOUBLE + plan->parameter_count;
    case MAPE_TYPE_FLOAT: return NATIVE_FLOAT + plan->parameter_count;
    case MAPE_TYPE_INT32: return NATIVE_INT32 + plan->parameter_count;
    case MAPE_TYPE_INT64: return NATIVE_INT64 + plan->parameter_count;
    default: return NATIVE_GENERAL;
    }
}

/* The interface for calls: as the prototype says, but for an argument that is passed as two. */
static ffi_status prepare_call(native_prepared *n) {
    n->call = n->cif;
    n->split = mapb_native_split(&n->cif);
    if (n->split < 0) return FFI_OK;
    uint32_t count = n->plan->parameter_count, split = (uint32_t)n->split;
    memcpy(n->split_types, n->argument_types, split * sizeof(ffi_type *));
    n->split_types[split] = &ffi_type_uint64;
    /* 12 bytes: the second eightbyte is half full. */
    n->split_types[split + 1] = n->argument_types[split]->size < 16 ? &ffi_type_float : &ffi_type_double;
    memcpy(n->split_types + split + 2, n->argument_types + split + 1, (count - split - 1) * sizeof(ffi_type *));
    return ffi_prep_cif(&n->call, FFI_DEFAULT_ABI, count + 1, n->cif.rtype, n->split_types);
}

int mapb_native_prepare(const mapb_native *plan, void (*function)(void), void *memory) {
    mapb_native *parts = (mapb_native *)plan;
    const mapb_native_type *types = mapb_native_types(parts);
    const mapb_native_member *members = mapb_native_members(parts);
    native_prepared *n = memory;
    uint8_t *at = (uint8_t *)memory + rounded(sizeof *n);
    n->plan = plan;
    n->function = function;
    n->parameters = mapb_native_parameters(parts);
    n->types = (ffi_type *)at;
    at += rounded(plan->type_count * sizeof(ffi_type));
    n->values = (void **)at;
    n->pointers = n->values + plan->parameter_count + 1;
    n->argument_types = (ffi_type **)(n->pointers + plan->parameter_count + 1);
    n->split_types = n->argument_types + plan->parameter_count + 1;
    n->elements = n->split_types + plan->parameter_count + 1;
    ffi_type **next = n->elements;
    for (uint32_t i = 0; i < plan->type_count; i++) {
        ffi_type *type = &n->types[i];
        if (types[i].kind != MAPE_TYPE_STRUCT) {
            if (!number_type(types[i].kind, type)) return MAPE_E_UNSUPPORTED;
            continue;
        }
        /* Members come before the structures they are in. An array is so many members. */
        type->type = FFI_TYPE_STRUCT;
        type->elements = next;
        for (uint32_t m = 0; m < types[i].count; m++) {
            const mapb_native_member *member = &members[types[i].first + m];
            for (uint32_t r = 0; r < member->repeat; r++) *next++ = &n->types[member->type];
        }
        *next++ = NULL;
    }
    for (uint32_t k = 0; k < plan->parameter_count; k++) {
        const mapb_native_parameter *p = &n->parameters[k];
        n->argument_types[k] = p->form == MAPB_FORM_VALUE ? &n->types[p->type] : &ffi_type_pointer;
    }
    ffi_type *result = plan->result_form == MAPB_FORM_NONE ? &ffi_type_void
                       : plan->result_form == MAPB_FORM_TEXT
                           ? &ffi_type_pointer
                           : mapb_native_result(&n->types[plan->result_type], plan->result_size);
    ffi_status status = plan->flags & MAPB_NATIVE_VARIADIC
                            ? ffi_prep_cif_var(&n->cif, FFI_DEFAULT_ABI, plan->fixed_count, plan->parameter_count,
                                               result, n->argument_types)
                            : ffi_prep_cif(&n->cif, FFI_DEFAULT_ABI, plan->parameter_count, result, n->argument_types);
    if (status != FFI_OK || prepare_call(n) != FFI_OK) return MAPE_E_UNSUPPORTED;
    n->shortcut = shortcut_of(plan, types, n->parameters);
    return 0;
}

uint32_t mapb_native_flags_of(const void *prepared) { return ((const native_prepared *)prepared)->plan->flags; }
uint64_t mapb_native_record_size(const void *prepared) {
    return ((const native_prepared *)prepared)->plan->record_size;
}
