/* native_calls.h - a typed function, prepared: shared by the C files that call by libffi, and unknown to Swift */
#ifndef NATIVE_CALLS_H
#define NATIVE_CALLS_H

#include "CMapBridge.h"

#include <ffi.h>

/** Signatures that are called without libffi: of parameters and result of one type. */
enum native_shortcut {
    NATIVE_GENERAL = 0,
    NATIVE_DOUBLE = 8, /* plus how many parameters, 1 to 4 */
    NATIVE_FLOAT = 16,
    NATIVE_INT32 = 24,
    NATIVE_INT64 = 32
};

typedef struct native_prepared {
    const mapb_native *plan;
    const mapb_native_parameter *parameters;
    void (*function)(void);
    uint32_t shortcut;
    uint32_t shortcut_parameters;
    void **values;       /* One per parameter, for libffi. */
    void **pointers;     /* One per parameter: what an array's value points to. */
    ffi_type *types;     /* One per type of the plan. */
    ffi_type **argument_types;
    ffi_type **elements;
    ffi_cif cif;
} native_prepared;

#endif
