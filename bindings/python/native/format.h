/* format.h - what host and workers write to each other
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * src/mapengine/_format.py has the same, for the host; a test compares both (mapengine_python_format). Numbers are little-endian.
 */
#ifndef MAPENGINE_FORMAT_H
#define MAPENGINE_FORMAT_H

#include <stdint.h>

/* The function of a call or a block: what the host calls a *spec*. A worker makes the function of a spec once, and keeps it by the key. */
struct spec {
    uint8_t key[16]; /* A digest of the spec's bytes. */
    uint32_t size;  /* Bytes of the spec, behind the head. 0: they are the pool's global of that key, in hexadecimal. */
    uint32_t flags; /* Of enum call_flags. */
};

/* X(name, value) */
#define CALL_FLAGS(X)                                                                                                  \
    X(CALL_STAR, 1)    /* Elements are tuples of arguments. */                                                         \
    X(CALL_MARSHAL, 2) /* Builtin results may be marshalled: the host reads them so. */                                \
    X(CALL_OWN, 4)     /* Each item has its element's pickle as its input; else the block's data have chunks. */       \
    X(CALL_VECTOR, 8)  /* The function is called for a range of elements, with an array: see block_head.layout. */

/* One call (mape_apply): the item's input is this head, the spec, and a pickle of (args, kwargs). Further pieces of the item are the
 * pickle's buffers. */
struct call_head {
    struct spec spec;
};

/* Consecutive elements of a map (mape_map): the job's data are this head, the spec, the layout, and with CALL_OWN or CALL_VECTOR nothing
 * more; else a table of chunks + 1 offsets (uint64_t, aligned to 8) from the start of the data, and the chunks: each a sequence of
 * chunk_items elements, the last one of fewer; a pickle (its first byte is 0x80), or marshalled. With CALL_VECTOR the items are the
 * elements of an array, or have no bytes (a range). */
struct block_head {
    struct spec spec;
    uint64_t
        number; /* Of the block; unique in its pool. A worker keeps the elements of the chunk it has unpickled last. */
    uint64_t chunk_items;
    uint64_t table;  /* Offset of the table. */
    uint64_t chunks; /* How many. */
    uint32_t
        element; /* Bytes of a result that becomes an element of the caller's array, as it is there; 0: results are encoded. */
    uint32_t format; /* What such an element is, by a character of Python's `struct`; 0: the layout says it. */
    uint32_t layout; /* Bytes of the layout: a pickle for _elements.py, of arrays that go in and come out. */
    uint32_t unused;
};

/* A result is 8 bytes, an int; or more, of which the last says what it is. So a host that reads many at once knows them by their size.
 * X(name, value) */
#define RESULT_TAGS(X)                                                                                                 \
    X(TAG_NONE, 'N')        /* 8 bytes before it, unused: as long as a float. */                                       \
    X(TAG_TRUE, 'T')        /* The same. */                                                                            \
    X(TAG_FALSE, 'F')       /* The same. */                                                                            \
    X(TAG_FLOAT, 'f')       /* A double. */                                                                            \
    X(TAG_INT, 'i')         /* An int of 64 bits, where 8 bytes alone will not do. */                                  \
    X(TAG_STR, 's')         /* UTF-8. */                                                                               \
    X(TAG_BYTES, 'b')       /* Bytes. */                                                                               \
    X(TAG_SHORT_STR, 'S')   /* UTF-8 of at most 7 bytes, at the start of 8, of which the last is their number. */      \
    X(TAG_SHORT_BYTES, 'B') /* Bytes likewise. */                                                                      \
    X(TAG_MARSHAL, 'm')     /* marshal's; zeros behind it where there were fewer than 8 bytes. */                      \
    X(TAG_PICKLE, 'p')      /* A pickle; likewise. */                                                                  \
    X(TAG_BUFFERS, 'o')     /* A pickle with buffers: see result_tail. */                                              \
    X(TAG_ERROR, 'e')       /* Of a failed item: what encode_error of _worker.py made. */                              \
    X(TAG_SAME, '=')  /* Of a failed item: it has failed with the item of its job whose index is in the 8 bytes. */    \
    X(TAG_KEPT, 0x80) /* Beside another: the function kept a view of its input. The host must not reuse that memory. */

#define X(name, value) name = value,
enum call_flags { CALL_FLAGS(X) };
enum result_tag { RESULT_TAGS(X) };
#undef X

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
