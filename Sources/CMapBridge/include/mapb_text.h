/* mapb_text.h - texts of C, cut between characters; and bytes (common/fork_text.c) */
#ifndef MAPB_TEXT_H
#define MAPB_TEXT_H

#include "mapb_base.h"

MAPB_FORK_SAFE void mapb_copy(void *to, const void *from, uint64_t size);
/** How many of a text's first `size` bytes are whole: less by at most 3 when they end inside a character of UTF-8. Bytes that are no
 *  UTF-8 stay. */
MAPB_FORK_SAFE uint64_t mapb_whole(const char *text, uint64_t size);
/** Bytes of a text without its NUL, at most `limit`: a longer one is cut to whole characters. */
MAPB_FORK_SAFE uint64_t mapb_length(const char *text, uint64_t limit);
/** After snprintf into `room` bytes answered `wanted`: has a text that did not fit end with a whole character. */
MAPB_FORK_SAFE void mapb_cut(char *text, uint64_t room, int wanted);
MAPB_FORK_SAFE int mapb_same_text(const char *a, const char *b);
/** FNV-1a, 64 bit (Fowler, Noll, Vo; draft-eastlake-fnv), of a text and of bytes. */
MAPB_FORK_SAFE uint64_t mapb_hash(const char *text);
MAPB_FORK_SAFE uint64_t mapb_hash_bytes(const void *bytes, uint64_t size);

#endif
