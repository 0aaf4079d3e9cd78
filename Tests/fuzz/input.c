/* input.c - arguments from the bytes of an input: see input.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "input.h"

static const uint8_t *at, *end;

void input_begin(const uint8_t *data, size_t size) {
    at = data;
    end = data + size;
}

bool input_is_left(void) { return at < end; }

uint8_t byte(void) { return at < end ? *at++ : 0; }

static uint64_t word(void) {
    uint64_t w = 0;
    for (int i = 0; i < 8; i++) w = w << 8 | byte();
    return w;
}

uint64_t number(void) {
    uint8_t kind = byte();
    switch (kind % 12) {
    case 0: return UINT64_MAX;
    case 1: return (uint64_t)1 << 63;
    case 2: return ((uint64_t)1 << 63) - 1;
    case 3: return (uint64_t)1 << 32;
    case 4: return UINT32_MAX;
    case 5: return (uint64_t)1 << (kind >> 2);
    case 6: return word();
    default: return byte();
    }
}

size_t honest_size(size_t most) {
    uint8_t kind = byte();
    if (kind % 16 == 0) return SIZE_MAX;
    if (kind % 16 == 1) return (size_t)1 << 62;
    if (kind % 16 == 2) return (size_t)1 << 48;
    return (size_t)(kind << 8 | byte()) % (most + 1);
}

size_t struct_size(size_t right) { return byte() % 16 ? right : (size_t)number(); }

int64_t wait_ns(void) { return byte() % 4 ? 0 : (int64_t)byte() * 20000; }

const char *text(void) {
    static const char *const texts[] = {
        "",   "a",     "PATH=/nowhere", "=",           "A=1",           "run_square",
        "no", "x=y=z", "libm.so.6",     "/no/such.so", WORKERS_LIBRARY, "setup_copies_data"};
    static char made[4][400];
    static int next;
    uint8_t kind = byte();
    if (kind % 8 == 7) return NULL;
    if (kind % 8 != 6) return texts[kind / 8 % (sizeof texts / sizeof texts[0])];
    char *out = made[next++ % 4];
    size_t size = (size_t)byte() + byte() % 100;
    for (size_t i = 0; i < size; i++) out[i] = (char)byte();
    out[size] = '\0';
    return out;
}

const char *const *list(void) {
    static const char *lists[8][4];
    static int next;
    if (byte() % 4) return NULL;
    const char **out = lists[next++ % 8];
    int count = byte() % 4;
    for (int i = 0; i < count; i++) out[i] = text();
    out[count] = NULL;
    return out;
}
