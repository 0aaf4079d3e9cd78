/* format.h - what host and workers write to each other
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * src/mapengine/_codec.py has the same, for the host. Numbers are little-endian.
 */
#ifndef MAPENGINE_FORMAT_H
#define MAPENGINE_FORMAT_H

#include <stdint.h>

/* The function of a call or a block: what the host calls a *spec*. A worker makes the function of a spec once, and keeps it by the key. */
struct spec {
    uint8_t key[16]; /* A digest of the spec's bytes. All zero: there is none, the function is in the call's pickle. */
    uint32_t size;  /* Bytes of the spec, behind the head. 0: they are the pool's global of that key, in hexadecimal. */
    uint32_t flags; /* Of enum call_flags. */
};

enum call_flags {
    CALL_STAR = 1,    /* Elements are tuples of arguments. */
    CALL_MARSHAL = 2, /* Builtin results may be marshalled: the host reads them so. */
    CALL_OWN = 4, /* Each item of the block has its element's pickle as its input; else the block's data have chunks. */
};

/* One call (mape_apply): the item's input is this head, the spec, and a pickle: (args, kwargs), or (function, args, kwargs) without
 * a spec. Further pieces of the item are the pickle's buffers. */
struct call_head {
    struct spec spec;
};

/* Consecutive elements of a map (mape_map): the job's data are this head, the spec, and with CALL_OWN nothing more; else a table of
 * chunks + 1 offsets (uint64_t, aligned to 8) from the start of the data, and the chunks: each a sequence of chunk_items elements, the last
 * one of fewer; a pickle (its first byte is 0x80), or marshalled. */
struct block_head {
    struct spec spec;
    uint64_t
        number; /* Of the block; unique in its pool. A worker keeps the elements of the chunk it has unpickled last. */
    uint64_t chunk_items;
    uint64_t table;  /* Offset of the table. */
    uint64_t chunks; /* How many. */
};

/* A result is 8 bytes, an int; or more, of which the last says what it is. So a host that reads many at once knows them by their size. */
enum result_tag {
    TAG_NONE = 'N',        /* 8 bytes before it, unused: as long as a float. */
    TAG_TRUE = 'T',        /* The same. */
    TAG_FALSE = 'F',       /* The same. */
    TAG_FLOAT = 'f',       /* A double. */
    TAG_INT = 'i',         /* An int of 64 bits, where 8 bytes alone will not do. */
    TAG_STR = 's',         /* UTF-8. */
    TAG_BYTES = 'b',       /* Bytes. */
    TAG_SHORT_STR = 'S',   /* UTF-8 of at most 7 bytes, at the start of 8, of which the last is their number. */
    TAG_SHORT_BYTES = 'B', /* Bytes likewise. */
    TAG_MARSHAL = 'm',     /* marshal's; zeros behind it where there were fewer than 8 bytes. */
    TAG_PICKLE = 'p',      /* A pickle; likewise. */
    TAG_BUFFERS = 'o',     /* A pickle with buffers: see result_tail. */
    TAG_ERROR = 'e',       /* Of a failed item: what _codec.encode_error made. */
    TAG_KEPT =
        0x80, /* Beside another: the function kept a view of its input. The host must not use that memory for something else. */
};

/* The end of a result with TAG_BUFFERS, whose size is a multiple of 64. Buffers lie from its start, each at a multiple of 64. */
struct result_tail {
    uint64_t sizes;  /* Offset of the table of sizes (uint64_t) of the buffers. */
    uint64_t count;  /* How many. */
    uint64_t pickle; /* Offset of the pickle. */
    uint64_t pickle_size;
    uint8_t unused[31];
    uint8_t tag;
};

#endif
