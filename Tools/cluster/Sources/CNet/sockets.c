/* sockets.c - addresses, sockets, files, hashes */
#include "cnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct addrinfo *look_up(const char *host, const char *port, int *why) {
    struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found;
    *why = getaddrinfo(host, port, &wanted, &found);
    /* AI_ADDRCONFIG does not count loopback: where there is nothing else, 127.0.0.1 is not found by it. */
    if (*why) {
        wanted.ai_flags = 0;
        *why = getaddrinfo(host, port, &wanted, &found);
    }
    return *why ? NULL : found;
}

int cnet_connect(const char *host, const char *port, unsigned which, char why[CNET_TEXT]) {
    int failure;
    struct addrinfo *found = look_up(host, port, &failure);
    why[0] = 0;
    if (!found) {
        if (which == 0) snprintf(why, CNET_TEXT, "%s has no address: %s", host, gai_strerror(failure));
        return -1;
    }
    const struct addrinfo *at = found;
    for (unsigned i = 0; at && i < which; i++) at = at->ai_next;
    int made = -1;
    if (at) {
        made = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (made < 0) snprintf(why, CNET_TEXT, "no socket: %s", strerror(errno));
        const int one = 1, idle = 5, between = 2, count = 3, unread = 20000;
        if (made >= 0) {
            setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            /* A cut link is noticed while nothing is sent, and while something is. */
            setsockopt(made, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
            setsockopt(made, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
            setsockopt(made, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
            setsockopt(made, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
            setsockopt(made, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread, sizeof unread);
            if (connect(made, at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) {
                snprintf(why, CNET_TEXT, "%s:%s cannot be reached: %s", host, port, strerror(errno));
                close(made);
                made = -1;
            }
        }
    }
    freeaddrinfo(found);
    return made;
}

int cnet_connected(int socket, char why[CNET_TEXT]) {
    int failure = 0;
    socklen_t size = sizeof failure;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
    if (failure) snprintf(why, CNET_TEXT, "%s", strerror(failure));
    return failure == 0;
}

int cnet_is_loopback(const char *host) {
    int failure, all = 1;
    struct addrinfo *found = look_up(host, NULL, &failure);
    if (!found) return 0;
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        if (at->ai_family == AF_INET)
            all &= (ntohl(((const struct sockaddr_in *)at->ai_addr)->sin_addr.s_addr) >> 24) == 127;
        else if (at->ai_family == AF_INET6)
            all &= IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)at->ai_addr)->sin6_addr) != 0;
        else all = 0;
    }
    freeaddrinfo(found);
    return all;
}

long cnet_read_file(const char *path, void *bytes, size_t size, char why[CNET_TEXT]) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    long got = -1;
    if (file >= 0) got = read(file, bytes, size);
    if (got < 0) snprintf(why, CNET_TEXT, "%s", strerror(errno));
    if (file >= 0) close(file);
    return got;
}

void cnet_random(void *bytes, size_t size) {
    if (RAND_bytes(bytes, (int)size) != 1) abort();
}

void cnet_sha256(const void *bytes, size_t size, uint8_t out[32]) {
    unsigned length = 32;
    if (EVP_Digest(bytes, size, out, &length, EVP_sha256(), NULL) != 1) abort();
}

int cnet_sha256_file(const char *path, uint8_t out[32], char why[CNET_TEXT]) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        snprintf(why, CNET_TEXT, "%s", file < 0 ? strerror(errno) : "not a file");
        if (file >= 0) close(file);
        return -1;
    }
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) abort();
    static const size_t room = 1 << 18;
    uint8_t *part = malloc(room);
    long got = -1;
    while (part && (got = read(file, part, room)) > 0) EVP_DigestUpdate(hash, part, (size_t)got);
    if (got < 0) snprintf(why, CNET_TEXT, "%s", strerror(errno));
    unsigned length = 32;
    EVP_DigestFinal_ex(hash, out, &length);
    EVP_MD_CTX_free(hash);
    free(part);
    close(file);
    return got < 0 ? -1 : 0;
}

int64_t cnet_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int cnet_wait(int socket, int for_writing, int milliseconds) {
    struct pollfd one = {.fd = socket, .events = for_writing ? POLLOUT : POLLIN};
    return poll(&one, 1, milliseconds) > 0;
}

int cnet_poll(const int *descriptors, const uint8_t *wants, uint8_t *ready, unsigned count, int milliseconds) {
    struct pollfd list[count + 1];
    for (unsigned i = 0; i < count; i++) {
        const int events = (wants[i] & CNET_WAIT_READ ? POLLIN : 0) | (wants[i] & CNET_WAIT_WRITE ? POLLOUT : 0);
        list[i] = (struct pollfd){.fd = descriptors[i], .events = (short)events};
    }
    const int got = poll(list, count, milliseconds);
    for (unsigned i = 0; i < count; i++) ready[i] = got > 0 && list[i].revents != 0;
    return got > 0 ? got : 0;
}

int cnet_signals(int watched) {
    signal(SIGPIPE, SIG_IGN);
    /* Memory is written as a file, too. */
    signal(SIGXFSZ, SIG_IGN);
    if (!watched) return -1;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

void cnet_memory_keep(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
}

void cnet_memory_return(void) { malloc_trim(0); }

int cnet_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
