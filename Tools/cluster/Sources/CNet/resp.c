/* resp.c - hiredis' reader, with limits, and large strings beside it
 *
 * hiredis copies what it reads twice, and moves it when its buffer grows. So large strings do not pass through it: bytes are cut into
 * the lines and strings that RESP2 consists of, a large string is read into memory of its own, and hiredis gets an empty one in its place. It makes the
 * strings in the order in which they came, so it is known by its number which of them has its bytes here.
 */
#include "cnet.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <stdlib.h>
#include <string.h>

/* The server is not trusted: the most that one reply may hold. */
#define MOST_BYTES    (1ull << 30)
#define MOST_ELEMENTS (1u << 20)
/* What is announced is allocated at once up to here, and grows with what comes beyond. */
#define FIRST_BYTES   (64u << 20)
#define SCRATCH_BYTES (64u << 10)

/* What hiredis keeps of its buffer once it has emptied it. */
#define KEPT_BYTES (256u << 10)

struct large {
    struct large *next;
    uint64_t number; /* Of all strings that have come, this one. */
    uint8_t *bytes;
    size_t size, room, have;
};

enum state {
    IN_LINE,   /* also between two replies */
    IN_STRING, /* that hiredis gets: `left` bytes with the line's end */
    IN_LARGE,
    IN_TAIL /* the line's end behind a large one: `left` bytes */
};

struct cnet_reader {
    redisReader *reader;
    redisReplyObjectFunctions functions, usual;
    size_t large;     /* From so many bytes on a string is large. */
    uint64_t waiting; /* Bytes that have come since the last whole reply. */
    enum state state;
    char line[16]; /* How it begins: enough for the head of a string. */
    size_t line_size;
    uint8_t last;
    size_t left;
    uint64_t came, made;              /* Strings that have come, and that hiredis has made. */
    struct large *first, *last_large; /* Not made yet. The last one may be on its way. */
    uint8_t *scratch;
    char failure[CNET_TEXT];
};

#if HIREDIS_MAJOR >= 1
typedef size_t count_type;
#else
typedef int count_type;
#endif

/* hiredis makes room for all elements that a head announces before it has seen one of them. */
static void *make_array(const redisReadTask *task, count_type elements) {
    const cnet_reader *reader = task->privdata;
    if ((size_t)elements > MOST_ELEMENTS) return NULL;
    return reader->usual.createArray(task, elements);
}

static void *make_string(const redisReadTask *task, char *bytes, size_t size) {
    cnet_reader *reader = task->privdata;
    redisReply *made = reader->usual.createString(task, bytes, size);
    if (task->type != REDIS_REPLY_STRING) return made;
    struct large *large = reader->first;
    if (reader->made++, !made || !large || large->number != reader->made) return made;
    reader->first = large->next;
    if (!reader->first) reader->last_large = NULL;
    /* freeReplyObject frees it. */
    free(made->str);
    made->str = (char *)large->bytes;
    made->len = large->size;
    free(large);
    return made;
}

cnet_reader *cnet_reader_open(size_t large) {
    cnet_reader *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->reader = redisReaderCreate();
    made->scratch = malloc(SCRATCH_BYTES);
    if (!made->reader || !made->scratch) {
        if (made->reader) redisReaderFree(made->reader);
        free(made->scratch);
        free(made);
        return NULL;
    }
    made->large = large ? large : 1;
    made->functions = made->usual = *made->reader->fn;
    made->functions.createArray = make_array;
    made->functions.createString = make_string;
    made->reader->privdata = made;
    made->reader->fn = &made->functions;
    made->reader->maxbuf = KEPT_BYTES;
    return made;
}

void cnet_reader_close(cnet_reader *reader) {
    if (!reader) return;
    redisReaderFree(reader->reader);
    for (struct large *at = reader->first, *next; at; at = next) {
        next = at->next;
        free(at->bytes);
        free(at);
    }
    free(reader->scratch);
    free(reader);
}

static int fail(cnet_reader *reader, const char *why) {
    if (!reader->failure[0]) strncpy(reader->failure, why, sizeof reader->failure - 1);
    return 0;
}

static int pass(cnet_reader *reader, const void *bytes, size_t size) {
    if (size && redisReaderFeed(reader->reader, bytes, size) != REDIS_OK) return fail(reader, "no memory for it");
    return 1;
}

/* The size that a line announces, as hiredis reads it; -1: it has no bytes; -2: it is none. */
static int64_t announced(const char *line, size_t size) {
    if (size == 2 && line[0] == '-' && line[1] == '1') return -1;
    if (size == 0 || size > 10 || (line[0] == '0' && size > 1)) return -2;
    int64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (line[i] < '0' || line[i] > '9') return -2;
        value = value * 10 + (line[i] - '0');
    }
    return value;
}

static int begin_large(cnet_reader *reader, size_t size) {
    struct large *made = calloc(1, sizeof *made);
    if (made) made->room = size < FIRST_BYTES ? size : FIRST_BYTES;
    if (made) made->bytes = malloc(made->room);
    if (!made || !made->bytes) {
        free(made);
        return fail(reader, "no memory for it");
    }
    made->size = size;
    made->number = reader->came;
    if (reader->last_large) reader->last_large->next = made;
    else reader->first = made;
    reader->last_large = made;
    reader->state = IN_LARGE;
    return 1;
}

/* The head of a string is whole. */
static int begin_string(cnet_reader *reader) {
    const int64_t size = announced(reader->line + 1, reader->line_size - 3);
    if (size == -2) return fail(reader, "a string of no size");
    if (size > (int64_t)MOST_BYTES) return fail(reader, "a reply is longer than 1 GiB");
    if (size >= 0) reader->came++;
    if (size >= (int64_t)reader->large) return begin_large(reader, (size_t)size);
    if (size >= 0) {
        reader->state = IN_STRING;
        reader->left = (size_t)size + 2;
    }
    return pass(reader, reader->line, reader->line_size);
}

/* Takes what belongs to a line. The head of a string is held back until it is whole. */
static size_t take_line(cnet_reader *reader, const uint8_t *bytes, size_t size) {
    size_t i = 0;
    int is_whole = 0;
    while (i < size && !is_whole) {
        const uint8_t byte = bytes[i++];
        is_whole = byte == '\n' && reader->last == '\r';
        reader->last = byte;
        if (reader->line_size < sizeof reader->line) reader->line[reader->line_size++] = (char)byte;
    }
    if (!reader->line[0] || !strchr("+-:*$", reader->line[0])) fail(reader, "not a reply");
    else if (reader->line[0] != '$') pass(reader, bytes, i);
    else if (is_whole) begin_string(reader);
    else if (reader->line_size == sizeof reader->line) fail(reader, "a string of no size");
    if (is_whole) reader->line_size = reader->last = 0;
    return i;
}

static int grow(cnet_reader *reader, struct large *large) {
    size_t room = large->room * 2 < large->size ? large->room * 2 : large->size;
    uint8_t *bytes = realloc(large->bytes, room);
    if (!bytes) return fail(reader, "no memory for it");
    large->bytes = bytes;
    large->room = room;
    return 1;
}

/* So many bytes of a large one have come. */
static int came_large(cnet_reader *reader, size_t size) {
    struct large *large = reader->last_large;
    large->have += size;
    if (large->have == large->size) {
        reader->state = IN_TAIL;
        reader->left = 2;
        return 1;
    }
    return large->have < large->room || grow(reader, large);
}

static int count(cnet_reader *reader, size_t size) {
    reader->waiting += size;
    return reader->waiting <= MOST_BYTES || fail(reader, "a reply is longer than 1 GiB");
}

static int cut(cnet_reader *reader, const uint8_t *bytes, size_t size) {
    while (size && !reader->failure[0]) {
        size_t taken = size;
        switch (reader->state) {
        case IN_LINE: taken = take_line(reader, bytes, size); break;
        case IN_STRING:
            if (taken > reader->left) taken = reader->left;
            pass(reader, bytes, taken);
            reader->left -= taken;
            if (!reader->left) reader->state = IN_LINE;
            break;
        case IN_LARGE: {
            struct large *large = reader->last_large;
            if (taken > large->room - large->have) taken = large->room - large->have;
            memcpy(large->bytes + large->have, bytes, taken);
            came_large(reader, taken);
            break;
        }
        case IN_TAIL:
            taken = 1;
            if (*bytes != "\n\r"[--reader->left]) fail(reader, "a string does not end where it should");
            else if (!reader->left) {
                reader->state = IN_LINE;
                pass(reader, "$0\r\n\r\n", 6);
            }
            break;
        }
        bytes += taken;
        size -= taken;
    }
    return !reader->failure[0];
}

int cnet_reader_feed(cnet_reader *reader, const void *bytes, size_t size) {
    return !reader->failure[0] && count(reader, size) && cut(reader, bytes, size);
}

long cnet_reader_receive(cnet_reader *reader, cnet_stream *stream, size_t *room, char why[CNET_TEXT]) {
    struct large *large = reader->state == IN_LARGE ? reader->last_large : NULL;
    uint8_t *first = large ? large->bytes + large->have : reader->scratch;
    const size_t first_room = large ? large->room - large->have : SCRATCH_BYTES;
    *room = first_room + (large ? SCRATCH_BYTES : 0);
    if (reader->failure[0]) return CNET_UNREADABLE;
    /* Behind the end of a large one the next reply may begin. */
    const long got = cnet_stream_read_two(stream, first, first_room, reader->scratch, large ? SCRATCH_BYTES : 0, why);
    if (got <= 0) return got;
    const size_t came = (size_t)got;
    if (!count(reader, came)) return CNET_UNREADABLE;
    if (!large) return cut(reader, reader->scratch, came) ? got : CNET_UNREADABLE;
    const size_t in_first = came < first_room ? came : first_room;
    if (!came_large(reader, in_first)) return CNET_UNREADABLE;
    return cut(reader, reader->scratch, came - in_first) ? got : CNET_UNREADABLE;
}

int cnet_reader_next(cnet_reader *reader, cnet_reply **out) {
    void *reply = NULL;
    *out = NULL;
    if (reader->failure[0]) return -1;
    if (redisReaderGetReply(reader->reader, &reply) != REDIS_OK) {
        fail(reader, reader->reader->errstr[0] ? reader->reader->errstr : "not a reply");
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
