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
    int32_t split;             /* The parameter that is passed as two arguments; -1: none. */
    void **values;             /* One per argument, for libffi. */
    void **pointers;           /* One per parameter: what an array's value points to. */
    ffi_type *types;           /* One per type of the plan. */
    ffi_type **argument_types; /* One per parameter; */
    ffi_type **split_types;    /* with the split. */
    ffi_type **elements;
    ffi_cif cif;  /* As the prototype says. */
    ffi_cif call; /* The same, with the split. */
} native_prepared;

/** The argument that has to be passed as two: fork_registers.c. -1: none. */
int32_t mapb_native_split(const ffi_cif *cif);
/** The type that libffi is to take a result of `size` bytes for: fork_registers.c. */
ffi_type *mapb_native_result(ffi_type *type, uint64_t size);

/** Parts of what is prepared, and of records, begin at such places. */
static inline uint64_t rounded(uint64_t size) { return (size + 15) & ~(uint64_t)15; }

#endif
