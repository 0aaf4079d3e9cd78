/* fork_control.c - control messages between host and zygote, as packets of a socket
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 */
#include "CMapBridge.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_HEAD (offsetof(mapb_control, text))

int mapb_control_receive(int socket, mapb_control *message, int fds[MAPB_CONTROL_FDS], int block) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MAPB_CONTROL_FDS)];
        struct cmsghdr align;
    } space;
    struct iovec part = {message, sizeof *message};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    for (int i = 0; i < MAPB_CONTROL_FDS; i++) fds[i] = -1;
    ssize_t got = recvmsg(socket, &head, MSG_CMSG_CLOEXEC | (block ? 0 : MSG_DONTWAIT));
    /* The other end has closed with messages unread. That is told once, before what it had sent itself, which may still be here. */
    if (got < 0 && errno == ECONNRESET) got = recvmsg(socket, &head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK ? -1 : 0;
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&head); c; c = CMSG_NXTHDR(&head, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (count < MAPB_CONTROL_FDS) fds[count++] = fd;
            else close(fd);
        }
    }
    /* A packet must hold the head and exactly the text that the head announces. */
    if ((head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)got < CONTROL_HEAD ||
        message->text_size > sizeof message->text || (size_t)got != CONTROL_HEAD + message->text_size ||
        (message->text_size && message->text[message->text_size - 1] != 0)) {
        for (int i = 0; i < count; i++) close(fds[i]);
        for (int i = 0; i < MAPB_CONTROL_FDS; i++) fds[i] = -1;
        return 0;
    }
    if (!message->text_size) message->text[0] = 0;
    return 1;
}

int mapb_control_send(int socket, const mapb_control *message, const int *fds, int count, int block) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MAPB_CONTROL_FDS)];
        struct cmsghdr align;
    } space;
    struct iovec part = {(void *)message, CONTROL_HEAD + message->text_size};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&space, 0, sizeof space);
        head.msg_control = space.bytes;
        head.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&head);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
    }
    for (;;) {
        if (sendmsg(socket, &head, MSG_NOSIGNAL | (block ? 0 : MSG_DONTWAIT)) >= 0) return 0;
        if (errno != EINTR) return errno;
    }
}
