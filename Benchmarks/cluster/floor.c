/* floor.c - what the server and the kernel take for items, when nothing else is done with them
 *
 *   floor ADDRESS bytes COUNT SIZE ROUNDS
 *   floor ADDRESS calls COUNT ROUNDS
 *   floor ADDRESS answer
 *
 * `bytes`: an item's bytes pass the server twice: input and result. So for each of COUNT items it does twice what a bare client would: SET of SIZE bytes
 * from where they lie, and GET into where they are to lie.
 * `calls`: a call goes to another machine and comes back. COUNT times, one after another, it puts eight bytes into one stream, as the helper does for a
 * call, and waits for an entry of another stream, which `answer` puts there, on a node's machine, as soon as it has read the first one. Both wait in an
 * XREAD that the server answers when there is something.
 * Says `ready`, `done`, `value`, `first` and `start` as host.c does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int server, reading;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int connected(const struct sockaddr_in *at) {
    const int one = 1, file = socket(AF_INET, SOCK_STREAM, 0);
    if (file < 0 || connect(file, (const struct sockaddr *)at, sizeof *at) != 0) fail("connect");
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return file;
}

static void receive(void *bytes, size_t size) {
    if (recv(server, bytes, size, MSG_WAITALL) != (ssize_t)size) fail("recv");
}

static void expect(const char *text) {
    char got[64];
    receive(got, strlen(text));
    if (memcmp(got, text, strlen(text)) != 0) {
        fprintf(stderr, "the server says something else than %s", text);
        exit(1);
    }
}

/** Bytes to the server and back. */
static void pass(unsigned char *bytes, size_t size) {
    char head[64], answer[32];
    struct iovec parts[3] = {
        {head, (size_t)snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$5\r\nfloor\r\n$%zu\r\n", size)},
        {bytes, size},
        {"\r\n", 2}};
    for (int at = 0; at < 3;) {
        ssize_t put = writev(server, parts + at, 3 - at);
        if (put < 0) fail("writev");
        for (; at < 3 && (size_t)put >= parts[at].iov_len; at++) put -= (ssize_t)parts[at].iov_len;
        if (at < 3) parts[at].iov_base = (char *)parts[at].iov_base + put, parts[at].iov_len -= (size_t)put;
    }
    expect("+OK\r\n");
    static const char get[] = "*2\r\n$3\r\nGET\r\n$5\r\nfloor\r\n";
    if (send(server, get, sizeof get - 1, 0) != sizeof get - 1) fail("send");
    snprintf(answer, sizeof answer, "$%zu\r\n", size);
    expect(answer);
    receive(bytes, size);
    expect("\r\n");
}

/** Puts eight bytes into a stream. */
static void put(char stream) {
    char text[128], answer[64];
    const int size = snprintf(text, sizeof text,
                              "*5\r\n$4\r\nXADD\r\n$6\r\nfloor%c\r\n$1\r\n*\r\n$1\r\nh\r\n$8\r\n12345678\r\n", stream);
    if (send(server, text, (size_t)size, 0) != size) fail("send");
    if (recv(server, answer, sizeof answer, 0) <= 0 || answer[0] != '$') fail("XADD");
}

/** Asks for the entry of a stream behind the last one, or behind those that are there. */
static void ask(char stream, const char *last) {
    char text[192];
    const int size =
        snprintf(text, sizeof text,
                 "*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n$7\r\nSTREAMS\r\n$6\r\nfloor%c\r\n$%zu\r\n%s\r\n",
                 stream, strlen(last), last);
    if (send(reading, text, (size_t)size, 0) != size) fail("send");
}

/** Waits for it, and keeps its id. */
static void take(char last[64]) {
    char answer[512];
    const ssize_t size = recv(reading, answer, sizeof answer - 1, 0);
    if (size <= 0) fail("XREAD");
    answer[size] = 0;
    const char *dash = strchr(answer, '-');
    if (!dash) fail("XREAD: no id");
    const char *begin = dash;
    while (begin > answer && begin[-1] != '\n') begin--;
    snprintf(last, 64, "%.*s", (int)strcspn(begin, "\r"), begin);
}

static void call(char last[64]) {
    ask('o', last);
    put('w');
    take(last);
}

/** Says `ready` when the server knows that it waits. */
static void answer_calls(void) {
    char last[64] = "$";
    ask('w', last);
    put('o');
    puts("ready");
    fflush(stdout);
    for (;;) {
        take(last);
        put('o');
        ask('w', last);
    }
}

static void tell(const char *word) {
    char line[16];
    printf("%s\n", word);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(1);
}

int main(int argc, char **argv) {
    if (argc < 3) return 64;
    const int calls = strcmp(argv[2], "calls") == 0 && argc == 5;
    if (!calls && !(strcmp(argv[2], "answer") == 0 && argc == 3) && !(strcmp(argv[2], "bytes") == 0 && argc == 6))
        return 64;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(6379)};
    if (inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) return 64;
    server = connected(&at), reading = connected(&at);
    if (argc == 3) answer_calls();
    const long count = atol(argv[3]), rounds = atol(argv[argc - 1]);
    const size_t size = calls ? 8 : (size_t)atol(argv[4]);
    char last[64] = "$";
    unsigned char *bytes = malloc(size);
    if (!bytes) return 1;
    memset(bytes, 7, size);
    for (int i = 0; i < 20; i++) calls ? call(last) : pass(bytes, size);
    tell("ready");
    const double began = now();
    for (long i = 0; i < rounds * count; i++) {
        if (calls) {
            call(last);
        } else {
            pass(bytes, size);
            pass(bytes, size);
        }
    }
    const double seconds = (now() - began) / (double)rounds;
    tell("done");
    printf("value %.9f\nfirst 0.0\nstart 0.0\n", seconds);
    free(bytes);
    return 0;
}
