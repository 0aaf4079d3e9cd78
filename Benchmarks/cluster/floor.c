/* floor.c - what the server and the kernel take for the bytes of an item, when nothing else is done with them
 *
 *   floor ADDRESS COUNT SIZE ROUNDS
 *
 * An item's bytes pass the server twice: input and result. So for each of COUNT items it does twice what a bare client would: SET of SIZE bytes from where
 * they lie, and GET into where they are to lie. Says `ready`, `done`, `value`, `first` and `start` as host.c does.
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

static int server;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
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

static void tell(const char *word) {
    char line[16];
    printf("%s\n", word);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(1);
}

int main(int argc, char **argv) {
    if (argc != 5) return 64;
    const long count = atol(argv[2]), rounds = atol(argv[4]);
    const size_t size = (size_t)atol(argv[3]);
    const int one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(6379)};
    if (inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) return 64;
    server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || connect(server, (struct sockaddr *)&at, sizeof at) != 0) fail("connect");
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    unsigned char *bytes = malloc(size);
    if (!bytes) return 1;
    memset(bytes, 7, size);
    for (int i = 0; i < 20; i++) pass(bytes, size);
    tell("ready");
    const double began = now();
    for (long i = 0; i < rounds * count * 2; i++) pass(bytes, size);
    const double seconds = (now() - began) / (double)rounds;
    tell("done");
    printf("value %.9f\nfirst 0.0\nstart 0.0\n", seconds);
    free(bytes);
    return 0;
}
