/* fork_registers.c - around two faults of libffi, on x86-64
 *
 * Before 3.4.7 ffi_call puts a structure of two eightbytes, the first for a general register and the second for a vector register, into its
 * picture of the registers with one copy of 16 bytes. When the general register is the last of the six, the copy runs over the first
 * vector register (https://github.com/libffi/libffi/pull/848). To the ABI such a structure in registers is the same as two arguments,
 * an integer and a floating-point number: where it would meet the last register it is passed as these.
 *
 * All versions take a structure with a long double alone to be returned in general registers. It is returned on the x87 stack, as the
 * long double itself would be; left there, it spoils later calls. So libffi gets it as a long double.
 *
 * Runs between fork and the user's function, as fork_native.c does, which calls it.
 */
#include "native_calls.h"

#if defined(__x86_64__)

#define GENERAL_REGISTERS 6
#define VECTOR_REGISTERS  8

/* What registers a type takes (System V ABI for AMD64, 3.2.3, "Classification"): for each eightbyte whether a general one. */
struct classes {
    int in_memory;
    int words;
    int general[2];
};

static size_t aligned(size_t offset, size_t alignment) { return (offset + alignment - 1) / alignment * alignment; }

/* Types are nested at most as deep as the host's parser allows declarations in one text. */
static void classify(const ffi_type *type, size_t offset, struct classes *out) {
    switch (type->type) {
    case FFI_TYPE_STRUCT: {
        size_t at = 0;
        for (ffi_type **element = type->elements; *element; element++) {
            at = aligned(at, (*element)->alignment);
            classify(*element, offset + at, out);
            at += (*element)->size;
        }
        return;
    }
    case FFI_TYPE_LONGDOUBLE: out->in_memory = 1; return;
    case FFI_TYPE_COMPLEX:
        if (type->size > 16) out->in_memory = 1;
        return;
    case FFI_TYPE_FLOAT:
    case FFI_TYPE_DOUBLE: return;
    default: out->general[offset / 8 & 1] = 1; return;
    }
}

static struct classes classes_of(const ffi_type *type) {
    struct classes found = {.words = (int)((type->size + 7) / 8)};
    if (type->size > 16) found.in_memory = 1;
    else classify(type, 0, &found);
    return found;
}

int32_t mapb_native_split(const ffi_cif *cif) {
    int general = 0, vector = 0;
    /* The address of a result in memory is passed as well. */
    if (cif->rtype->type == FFI_TYPE_STRUCT && classes_of(cif->rtype).in_memory) general++;
    for (unsigned k = 0; k < cif->nargs; k++) {
        struct classes its = classes_of(cif->arg_types[k]);
        int generals = its.general[0] + (its.words > 1 ? its.general[1] : 0), vectors = its.words - generals;
        if (its.in_memory || general + generals > GENERAL_REGISTERS || vector + vectors > VECTOR_REGISTERS) continue;
        if (its.words == 2 && its.general[0] && !its.general[1] && general == GENERAL_REGISTERS - 1) return (int32_t)k;
        general += generals;
        vector += vectors;
    }
    return -1;
}

static int holds_long_double(const ffi_type *type) {
    if (type->type != FFI_TYPE_STRUCT) return type->type == FFI_TYPE_LONGDOUBLE;
    for (ffi_type **element = type->elements; *element; element++) {
        if (holds_long_double(*element)) return 1;
    }
    return 0;
}

ffi_type *mapb_native_result(ffi_type *type, uint64_t size) {
    return size == sizeof(long double) && holds_long_double(type) ? &ffi_type_longdouble : type;
}

#else

ffi_type *mapb_native_result(ffi_type *type, uint64_t size) {
    (void)size;
    return type;
}

int32_t mapb_native_split(const ffi_cif *cif) {
    (void)cif;
    return -1;
}

#endif
