/* reach.h - what run_reach tries: descriptors that a worker shares with its host, locks on the user's files, and what other
 * processes get of the processors.
 *
 * The host of these has a file of 8 KiB as its standard output, opened for reading and writing, and as its standard error an end of
 * a stream of sockets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REACH_H
#define REACH_H

#include <mapengine.h>

#define REACH_FILE 8192

/** Each with the errno that the sandbox refuses it with (0: it works there), and whether it works without the sandbox. */
#define REACHES(R)                                                                                                     \
    /* the contents of the file that is standard output */                                                             \
    R(TRUNCATE_OUTPUT, EACCES, 1)                                                                                      \
    R(ALLOCATE_OUTPUT, EACCES, 1)                                                                                      \
    R(PUNCH_OUTPUT, EACCES, 1)                                                                                         \
    R(REWIND_OUTPUT, ESPIPE, 1)                                                                                        \
    R(REWIND_OUTPUT_FAR, ESPIPE, 1)                                                                                    \
    R(PWRITE_OUTPUT, ESPIPE, 1)                                                                                        \
    R(PWRITEV_OUTPUT, ESPIPE, 1)                                                                                       \
    R(PWRITEV2_OUTPUT, ESPIPE, 1)                                                                                      \
    R(MAP_OUTPUT, EACCES, 1)                                                                                           \
    R(COPY_RANGE_TO_OUTPUT, EACCES, 1)                                                                                 \
    R(SPLICE_TO_OUTPUT, EACCES, 1)                                                                                     \
    R(AIO, EPERM, 1)                                                                                                   \
    /* its state, which the host shares */                                                                             \
    R(NONBLOCK_OUTPUT_BY_IOCTL, EPERM, 1)                                                                              \
    R(NONBLOCK_OUTPUT_BY_FCNTL, EPERM, 1)                                                                              \
    R(HINT_ON_OUTPUT, EPERM, 1)                                                                                        \
    R(SEAL_OUTPUT, EPERM, 0)                                                                                           \
    /* another number for it, by which all that would be possible */                                                   \
    R(DUP_OUTPUT, EPERM, 1)                                                                                            \
    R(DUP2_OUTPUT, EPERM, 1)                                                                                           \
    R(DUP3_OUTPUT, EPERM, 1)                                                                                           \
    R(DUPFD_OUTPUT, EPERM, 1)                                                                                          \
    R(DUPFD_CLOEXEC_OUTPUT, EPERM, 1)                                                                                  \
    R(PASS_OUTPUT, EACCES, 1)                                                                                          \
    R(PASS_OUTPUT_MANY, EACCES, 1)                                                                                     \
    /* a connection that the host has as its standard error */                                                         \
    R(SHUTDOWN_ERROR, EACCES, 1)                                                                                       \
    R(OPTION_OF_ERROR, EACCES, 1)                                                                                      \
    R(MESSAGE_TO_ERROR, EACCES, 1)                                                                                     \
    R(MESSAGES_TO_ERROR, EACCES, 1)                                                                                    \
    /* locks, leases and watches on files of the user, opened for reading */                                           \
    R(FLOCK, ENOSYS, 1)                                                                                                \
    R(FLOCK_OUTPUT, ENOSYS, 1)                                                                                         \
    R(RECORD_LOCK, EPERM, 1)                                                                                           \
    R(RECORD_LOCK_WAITING, EPERM, 1)                                                                                   \
    R(OPEN_FILE_LOCK, EPERM, 1)                                                                                        \
    R(OPEN_FILE_LOCK_WAITING, EPERM, 1)                                                                                \
    R(LEASE, EPERM, 1)                                                                                                 \
    R(NOTIFY, EPERM, 1)                                                                                                \
    R(SIGNAL_OF_FILE, EPERM, 1)                                                                                        \
    R(FCNTL_UNKNOWN, EPERM, 0)                                                                                         \
    /* the processors that other processes get */                                                                      \
    R(PARAM_OF_HOST, EPERM, 1)                                                                                         \
    R(SCHEDULER_OF_HOST, EPERM, 1)                                                                                     \
    R(ATTRIBUTES_OF_HOST, EPERM, 1)                                                                                    \
    R(NICE_OF_USER, EPERM, 1)                                                                                          \
    R(NICE_OF_GROUP, EPERM, 1)                                                                                         \
    R(IO_PRIORITY_OF_USER, EPERM, 1)                                                                                   \
    R(IO_PRIORITY_OF_HOST, EPERM, 1)                                                                                   \
    R(CORE_OF_HOST, EPERM, 0)                                                                                          \
    /* what goes on working */                                                                                         \
    R(WORKS_ASK_POSITION, 0, 1)                                                                                        \
    R(WORKS_PRINT, 0, 1)                                                                                               \
    R(WORKS_SEND_FILE_TO_OUTPUT, 0, 1)                                                                                 \
    R(WORKS_FLAGS_OF_OUTPUT, 0, 1)                                                                                     \
    R(WORKS_OWN_OUTPUT, 0, 1)                                                                                          \
    R(WORKS_DUP, 0, 1)                                                                                                 \
    R(WORKS_NONBLOCK, 0, 1)                                                                                            \
    R(WORKS_MEMORY_FILE, 0, 1)                                                                                         \
    R(WORKS_MAP_WITHOUT_FILE, 0, 1)                                                                                    \
    R(WORKS_MAP_FILE, 0, 1)                                                                                            \
    R(WORKS_SEEK, 0, 1)                                                                                                \
    R(WORKS_ASK_LOCK, 0, 1)                                                                                            \
    R(WORKS_STREAM_PAIR, 0, 1)                                                                                         \
    R(WORKS_SCHEDULER, 0, 1)                                                                                           \
    R(WORKS_NICE, 0, 1)                                                                                                \
    R(WORKS_THREADS_WITH_PLACES, 0, 1)                                                                                 \
    R(WORKS_TIMER_TO_THREAD, 0, 1)

enum reach {
#define REACH_NAME(name, errno_, alone) REACH_##name,
    REACHES(REACH_NAME)
#undef REACH_NAME
        REACH_COUNT
};

struct reach_item {
    uint32_t what; /**< An enum reach. */
    int32_t host;  /**< The host's process id. */
    char file[64]; /**< A file that can be read. */
};

/** Result: 0, or the errno of the attempt. */
int run_reach(mape_task *task, void *state, const void *input, size_t size);

#endif
