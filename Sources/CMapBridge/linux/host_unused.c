/* host_unused.c - what the Swift runtime has and MapEngine never asks for
 *
 * In the library that users get, the linker (--wrap in Package.swift) leads calls of these names here; nothing refers to the runtime's own
 * code any more, so it is left out with its tables. In other builds they are not used.
 */
#include <stdint.h>
#include <stdlib.h>

/** The names of characters, `Unicode.Scalar.Properties.name`: half a megabyte. Who wants them finds this place. */
intptr_t __wrap__swift_stdlib_getScalarName(uint32_t scalar, uint8_t *buffer, intptr_t capacity);
__attribute__((visibility("hidden"))) intptr_t __wrap__swift_stdlib_getScalarName(uint32_t scalar, uint8_t *buffer,
                                                                                  intptr_t capacity) {
    (void)scalar, (void)buffer, (void)capacity;
    abort();
}
