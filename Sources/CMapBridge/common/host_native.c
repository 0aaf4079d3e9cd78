/* host_native.c - what the host alone asks of prepared calls */
#include "native_calls.h"

uint64_t mapb_native_type_size(const void *prepared, uint32_t type) {
    return ((const native_prepared *)prepared)->types[type].size;
}
