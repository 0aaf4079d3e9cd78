/* resp.c - hiredis' reader, with limits */
#include "cnet.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The server is not trusted. hiredis grows its buffer by what it is fed, so the most that one reply may hold is limited here. */
#define MOST_BYTES    (1ull << 30)
#define MOST_ELEMENTS (1u << 20)

/* What hiredis keeps of its buffer once it has emptied it. */
#define KEPT_BYTES (4u << 20)

struct cnet_reader {
    redisReader *reader;
    redisReplyObjectFunctions functions;
    uint64_t waiting; /* Bytes fed since the last whole reply. */
    char failure[CNET_TEXT];
};

#if HIREDIS_MAJOR >= 1
typedef size_t count_type;
#else
typedef int count_type;
#endif

/* hiredis makes room for all elements that a head announces before it has seen one of them. */
static void *make_array(const redisReadTask *task, count_type elements) {
    if ((size_t)elements > MOST_ELEMENTS) return NULL;
    const redisReplyObjectFunctions *usual = task->privdata;
    return usual->createArray(task, elements);
}

cnet_reader *cnet_reader_open(void) {
    cnet_reader *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->reader = redisReaderCreate();
    if (!made->reader) {
        free(made);
        return NULL;
    }
    made->functions = *made->reader->fn;
    made->functions.createArray = make_array;
    made->reader->privdata = made->reader->fn;
    made->reader->fn = &made->functions;
    made->reader->maxbuf = KEPT_BYTES;
    return made;
}

void cnet_reader_close(cnet_reader *reader) {
    if (!reader) return;
    redisReaderFree(reader->reader);
    free(reader);
}

int cnet_reader_feed(cnet_reader *reader, const void *bytes, size_t size) {
    if (reader->failure[0]) return 0;
    reader->waiting += size;
    if (reader->waiting > MOST_BYTES) {
        strcpy(reader->failure, "a reply is longer than 1 GiB");
        return 0;
    }
    return redisReaderFeed(reader->reader, bytes, size) == REDIS_OK;
}

int cnet_reader_next(cnet_reader *reader, cnet_reply **out) {
    void *reply = NULL;
    *out = NULL;
    if (reader->failure[0]) return -1;
    if (redisReaderGetReply(reader->reader, &reply) != REDIS_OK) {
        strncpy(reader->failure, reader->reader->errstr[0] ? reader->reader->errstr : "not a reply",
                sizeof reader->failure - 1);
        return -1;
    }
    if (!reply) return 0;
    reader->waiting = 0;
    *out = reply;
    return 1;
}

const char *cnet_reader_failure(const cnet_reader *reader) { return reader->failure; }
void cnet_reply_free(cnet_reply *reply) { freeReplyObject(reply); }

static const redisReply *of(const cnet_reply *reply) { return (const redisReply *)reply; }

enum cnet_reply_kind cnet_reply_kind_of(const cnet_reply *reply) {
    switch (of(reply)->type) {
    case REDIS_REPLY_STATUS: return CNET_REPLY_STATUS;
    case REDIS_REPLY_ERROR: return CNET_REPLY_ERROR;
    case REDIS_REPLY_INTEGER: return CNET_REPLY_INTEGER;
    case REDIS_REPLY_STRING: return CNET_REPLY_BYTES;
    case REDIS_REPLY_ARRAY: return CNET_REPLY_ARRAY;
    default: return CNET_REPLY_NIL;
    }
}

int64_t cnet_reply_integer(const cnet_reply *reply) {
    return of(reply)->type == REDIS_REPLY_INTEGER ? of(reply)->integer : 0;
}

const uint8_t *cnet_reply_bytes(const cnet_reply *reply, size_t *out_size) {
    const redisReply *r = of(reply);
    const int has = r->type == REDIS_REPLY_STATUS || r->type == REDIS_REPLY_ERROR || r->type == REDIS_REPLY_STRING;
    *out_size = has ? (size_t)r->len : 0;
    return has ? (const uint8_t *)r->str : NULL;
}

size_t cnet_reply_count(const cnet_reply *reply) {
    return of(reply)->type == REDIS_REPLY_ARRAY ? of(reply)->elements : 0;
}

const cnet_reply *cnet_reply_element(const cnet_reply *reply, size_t i) {
    if (i >= cnet_reply_count(reply)) return NULL;
    return (const cnet_reply *)of(reply)->element[i];
}
