/* fork_text.c - texts, cut between characters, and bytes
 *
 * Runs between fork and the user's function as well: see mapb_base.h.
 */
#include "CMapBridge.h"

#include <string.h>

/* Bytes of the character that a byte begins in UTF-8 (RFC 3629); 1 for one that begins none. */
static uint64_t character_size(uint8_t first) {
    if (first >= 0xc2 && first <= 0xdf) return 2;
    if (first >= 0xe0 && first <= 0xef) return 3;
    if (first >= 0xf0 && first <= 0xf4) return 4;
    return 1;
}

uint64_t mapb_whole(const char *text, uint64_t size) {
    for (uint64_t back = 1; back <= 3 && back <= size; back++) {
        uint8_t byte = (uint8_t)text[size - back];
        if ((byte & 0xc0) != 0x80) return character_size(byte) > back ? size - back : size;
    }
    return size;
}

uint64_t mapb_length(const char *text, uint64_t limit) {
    uint64_t length = strnlen(text, limit);
    return length < limit || text[limit] == 0 ? length : mapb_whole(text, limit);
}

void mapb_cut(char *text, uint64_t room, int wanted) {
    if (room > 0 && wanted >= 0 && (uint64_t)wanted >= room) text[mapb_whole(text, room - 1)] = 0;
}

void mapb_copy(void *to, const void *from, uint64_t size) { memmove(to, from, size); }
int mapb_same_text(const char *a, const char *b) { return strcmp(a, b) == 0; }

uint64_t mapb_hash_bytes(const void *bytes, uint64_t size) {
    uint64_t h = 0xcbf29ce484222325u;
    for (uint64_t i = 0; i < size; i++) h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return h;
}

uint64_t mapb_hash(const char *text) { return mapb_hash_bytes(text, strlen(text)); }
