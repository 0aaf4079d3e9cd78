/* cnet.h - what the cluster's programs need of C: hiredis' reader, OpenSSL, sockets
 *
 * Each function checks what it is given, keeps no state beside its handles, and never blocks unless it says so. OpenSSL writes with
 * write(2), so the programs ignore SIGPIPE.
 */
#ifndef CNET_H
#define CNET_H

#include <stddef.h>
#include <stdint.h>

/* ---- replies of a server (resp.c) ---- */

/** hiredis' reader: bytes in, replies out. RESP2, which is what the libhiredis of Debian 12 reads. Large strings are read into the memory in which the
 *  reply has them. */
typedef struct cnet_reader cnet_reader;
/** A reply, or a part of one; owned by the reply that cnet_reader_next has given. */
typedef struct cnet_reply cnet_reply;

enum cnet_reply_kind {
    CNET_REPLY_NIL = 0,
    CNET_REPLY_STATUS = 1,
    CNET_REPLY_ERROR = 2,
    CNET_REPLY_INTEGER = 3,
    CNET_REPLY_BYTES = 4,
    CNET_REPLY_ARRAY = 5
};

/** @param large from so many bytes on a string does not pass through hiredis' buffer; at least 1. @return NULL: there is no memory. */
cnet_reader *cnet_reader_open(size_t large);
void cnet_reader_close(cnet_reader *reader);
/** @return 1; 0: there is no memory, or what has come is no reply, now or before. */
int cnet_reader_feed(cnet_reader *reader, const void *bytes, size_t size);
/** @return 1: `out` has a reply, which the caller frees; 0: more bytes are needed; -1: what has come is no reply, and never will be. */
int cnet_reader_next(cnet_reader *reader, cnet_reply **out);
/** Why -1 was returned: static or the reader's. */
const char *cnet_reader_failure(const cnet_reader *reader);
void cnet_reply_free(cnet_reply *reply);

enum cnet_reply_kind cnet_reply_kind_of(const cnet_reply *reply);
int64_t cnet_reply_integer(const cnet_reply *reply);
/** STATUS, ERROR, BYTES. @return NULL for others. */
const uint8_t *cnet_reply_bytes(const cnet_reply *reply, size_t *out_size);
size_t cnet_reply_count(const cnet_reply *reply);
/** @return NULL: there is no such element. */
const cnet_reply *cnet_reply_element(const cnet_reply *reply, size_t i);

/* ---- TLS (tls.c) ---- */

#define CNET_TEXT 512

/** What is read, and whom to trust: one for all connections. */
typedef struct cnet_tls cnet_tls;
/** A connection's. */
typedef struct cnet_stream cnet_stream;

enum cnet_io {
    CNET_CLOSED = 0,
    CNET_AGAIN_READ = -1,  /* when the socket is readable, */
    CNET_AGAIN_WRITE = -2, /* or writable */
    CNET_FAILED = -3,      /* why: the text */
    CNET_UNREADABLE = -4   /* what comes is no reply: cnet_reader_failure says why */
};

/** @param ca, certificate, key: paths; "": the system's authorities, and no certificate of ours.
 *  @return NULL: why[] says what is wrong with which file. */
cnet_tls *cnet_tls_open(const char *ca, const char *certificate, const char *key, char why[CNET_TEXT]);
void cnet_tls_close(cnet_tls *tls);
/** @param tls NULL: plain. host: the name or address that the server's certificate must have.
 *  @return NULL: there is no memory. The socket is the stream's. */
cnet_stream *cnet_stream_open(int socket, cnet_tls *tls, const char *host, char why[CNET_TEXT]);
void cnet_stream_close(cnet_stream *stream);
/** Goes on with the handshake. @return 1: it is done; an enum cnet_io. */
int cnet_stream_shake(cnet_stream *stream, char why[CNET_TEXT]);
/** @return bytes, or an enum cnet_io. */
long cnet_stream_write(cnet_stream *stream, const void *bytes, size_t size, char why[CNET_TEXT]);
/** Two places in one call, where the stream is plain. */
long cnet_stream_write_two(cnet_stream *stream, const void *first, size_t first_size, const void *second,
                           size_t second_size, char why[CNET_TEXT]);

/** Into two places in one call, where the stream is plain; else into the first. */
long cnet_stream_read_two(cnet_stream *stream, void *first, size_t first_size, void *second, size_t second_size,
                          char why[CNET_TEXT]);
/** Reads what has come, and feeds a reader with it. *room: what there was room for; fewer bytes: nothing more had come.
 *  @return bytes, or an enum cnet_io. */
long cnet_reader_receive(cnet_reader *reader, cnet_stream *stream, size_t *room, char why[CNET_TEXT]);

/* ---- sockets and files (sockets.c) ---- */

/** Begins to connect to the address number `which` of a host. @return a socket that does not block; -1: there is no such address, or
 *  why[] says why not. May block while the name is looked up. */
int cnet_connect(const char *host, const char *port, unsigned which, char why[CNET_TEXT]);
/** How a connection that has become writable went. @return 1; 0: why[] says why not. */
int cnet_connected(int socket, char why[CNET_TEXT]);
/** Whether all addresses of a host are this machine's own (127.0.0.0/8, ::1). */
int cnet_is_loopback(const char *host);
/** Reads a file of at most `size` bytes. @return bytes; -1: why[] says why not. */
long cnet_read_file(const char *path, void *bytes, size_t size, char why[CNET_TEXT]);
void cnet_random(void *bytes, size_t size);
/** SHA-256 of some bytes; of a file: 0, or -1 with why[]. */
void cnet_sha256(const void *bytes, size_t size, uint8_t out[32]);
int cnet_sha256_file(const char *path, uint8_t out[32], char why[CNET_TEXT]);
/** Cores that this process may use. */
int cnet_cores(void);
/** Monotonic time in nanoseconds. */
int64_t cnet_clock(void);
/** Waits for one descriptor. @return 1, or 0 when time is over. */
int cnet_wait(int socket, int for_writing, int milliseconds);
enum cnet_wait_for { CNET_WAIT_READ = 1, CNET_WAIT_WRITE = 2 };
/** Waits until one of some descriptors can be read or written, as its bits of enum #cnet_wait_for say, or has broken; negative ones are left out.
 *  Sets `ready`. @param milliseconds negative: for ever. @return how many are ready. */
int cnet_poll(const int *descriptors, const uint8_t *wants, uint8_t *ready, unsigned count, int milliseconds);
/** Memory that was freed stays with the process, up to some 100 MiB: values are some MiB large, and each would be new memory to the kernel. */
void cnet_memory_keep(void);
/** It goes back. */
void cnet_memory_return(void);
/** SIGPIPE and SIGXFSZ are ignored; SIGTERM and SIGINT, once they are watched, make the returned descriptor readable. @return -1: it cannot be made. */
int cnet_signals(int watched);

/** Runs a program of PATH to its end, without input. out: the last bytes of what it prints, *told of them. @return 0, or an errno: it could not
 *  be started. */
int cnet_run(const char *const *argv, char *out, size_t size, size_t *told, int *status);

#endif
