/* fault_identity.h - functions of libfaultworkers.so whose processes, descriptors, exits and leftovers are not their own affair alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FAULT_IDENTITY_H
#define FAULT_IDENTITY_H

#include "fault_workers.h"

/** What an item of run_estranged does. Its result is the value's square, whatever it does. */
enum estranged_way {
    ESTRANGED_NOTHING = 200,
    /* children */
    CHILD_COMES_BACK,        /**< The child of a fork returns from the function; the parent waits for it. */
    CHILD_COMES_BACK_LATE,   /**< The same, and nobody waits. */
    CHILD_COMES_BACK_MAPPED, /**< The child has mapped memory wherever there is room before. */
    CHILD_OF_KERNEL,         /**< Made by clone(2) without the C library. */
    CHILD_OF_THREAD,         /**< A thread forks, and both return. */
    CHILD_OF_VFORK,          /**< The child of a vfork returns. */
    CHILD_WRITES, /**< The child writes over the result that its parent has taken, and over the task's calls, then ends by _exit. */
    CHILD_CRASHES,   /**< The child dies by SIGSEGV. */
    CHILD_HELPS,     /**< The child computes the result, hands it over by a pipe, and ends by _exit. */
    CHILD_BY_SYSTEM, /**< system(), popen and posix_spawn give the result. */
    /* descriptors */
    CLOSES_UP_TO_1023,
    CLOSES_RANGE, /**< close_range(3, ~0U). */
    CLOSES_ALL,   /**< Standard files as well. */
    COVERS_ALL,   /**< dup2 of a file of its own over every number that is open; the file is the item's path. */
    CLOSES_TWICE, /**< Numbers 3 to 15, stale ones; then the item's file is opened, and stays so. */
    /* ends */
    ENDS_EXIT,
    ENDS_QUICK_EXIT,
    ENDS_THREAD,         /**< pthread_exit. */
    ENDS_THREAD_OF_TWO,  /**< The same, while another thread of the worker lives. */
    ENDS_EXIT_IN_THREAD, /**< Another thread calls exit. */
    FLUSHES_ALL,         /**< fflush(NULL) */
    CLOSES_ALL_STREAMS,  /**< fcloseall() */
    CHILD_EXITS,         /**< A child that ends by exit. */
    THREAD_READS,        /**< Leaves a thread that reads from a stream, and has it locked. */
};

/** Data of setup_estranged. */
struct estranged_plan {
    char path[64];  /**< The shared page's, */
    char file[128]; /**< a file of the test. */
    uint32_t setup_way, cleanup_way;
};

int setup_estranged(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_estranged(mape_task *task, void *state);
int run_estranged(mape_task *task, void *state, const void *input, size_t size);
int run_estranged_each(mape_task *task, void *state, const mape_range *range);
int run_estranged_all(mape_task *task, void *state, const mape_range *range);

/** Closes all descriptors. Input: a uint64_t; result: its square. */
int run_closes_all(mape_task *task, void *state, const void *input, size_t size);

/** What an item of run_leaves leaves behind in its process. */
enum leftover {
    LEAVE_ROUNDING,
    LEAVE_FLUSHING, /**< Denormals are zero. */
    LEAVE_TRAPS,    /**< A division by zero is SIGFPE. */
    LEAVE_X87,      /**< Single precision. */
    LEAVE_MMX,      /**< No emms. */
    LEAVE_FLAGS,    /**< FE_INVALID is raised. */
    LEAVE_MASK,
    LEAVE_PENDING,  /**< SIGTERM and SIGUSR1, blocked and sent. */
    LEAVE_IGNORED,  /**< SIGCHLD, SIGPIPE, SIGSEGV. */
    LEAVE_HANDLERS, /**< One for SIGSEGV that exits with 44. */
    LEAVE_STACK,    /**< An alternate stack, unmapped. */
    LEAVE_ALARM,
    LEAVE_TIMERS, /**< setitimer's three, of 100 ms. */
    LEAVE_POSIX_TIMER,
    LEAVE_FOLDER,
    LEAVE_UMASK,
    LEAVE_LOCALE,
    LEAVE_THREAD_LOCALE,
    LEAVE_LIMITS,      /**< RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_CPU. */
    LEAVE_HARD_LIMITS, /**< RLIMIT_NOFILE for good. */
    LEAVE_PRIORITY,
    LEAVE_PROCESSORS,
    LEAVE_GROUP,        /**< Another process group. */
    LEAVE_DEATH_SIGNAL, /**< None; and a subreaper. */
    LEAVE_STDOUT,       /**< Standard output is a file. */
    LEAVE_NO_STDOUT,    /**< fclose(stdout). */
    LEAVE_USER,         /**< Another user's ids. Root only. */
    LEAVE_ROOT,         /**< chroot. Root only. */
    LEFTOVERS
};

/** What run_finds finds of all that; the same, whatever has run before. */
struct found {
    uint32_t rounding, flushes, flags, traps, x87;
    double sum; /* Of long doubles. */
    uint64_t mask, ignored, handled;
    uint32_t has_stack;
    int32_t slept; /* 1.2 s were slept through. */
    char folder[200];
    uint32_t umask;
    char locale[64];
    uint32_t thread_locale;
    uint64_t file_limit, descriptor_limit, descriptor_hard, cpu_limit;
    int32_t priority;
    uint32_t processors, leads_group;
    int32_t death_signal, subreaper, child_status;
    uint64_t stdout_file;
    int32_t stdout_number;
    uint32_t user;
    uint64_t root;
};

int run_leaves(mape_task *task, void *state, const void *input, size_t size); /* Input: a uint32_t, an enum leftover. */
/** Input: a uint32_t; not 0: sleeps for 1.2 s. */
int run_finds(mape_task *task, void *state, const void *input, size_t size);
/** Rounds upward, umask 027, a folder of its own. */
int setup_its_own(mape_task *task, const void *data, size_t size, void **out_state);
int run_segfaults(mape_task *task, void *state, const void *input, size_t size);

#endif
