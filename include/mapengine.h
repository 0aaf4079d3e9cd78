/* mapengine.h - run C functions over many inputs in worker processes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_H
#define MAPENGINE_H

/**
 * @file mapengine.h
 * @brief The whole interface of libmapengine, and the rules that hold for all of it.
 *
 * | header | for |
 * |---|---|
 * | core.h | hosts: pools, functions, jobs, buffers. It opens with an example |
 * | events.h | how items end, what events say, and how a host fetches them |
 * | config.h | settings of pools and jobs, and the description of a function |
 * | stats.h | what functions and jobs have done: times per item, bytes |
 * | native.h | C functions of any type: prototypes, columns, proxies |
 * | trace.h | a timeline of what workers do |
 * | worker.h | what runs inside workers: types of functions, what they may call; the zygote |
 * | base.h | handles, statuses, time, the version |
 *
 * Each header includes what it needs, and can be included alone. A library of worker functions needs worker.h only.
 *
 * @section model The model
 *
 * A host application makes a *pool* of *worker* processes, registers C functions with it and submits *jobs*. A job
 * runs one function over one or many *items*, each a buffer of bytes. The pool assigns *ranges* of items to workers. A
 * worker calls the function and returns one result per item: a buffer of bytes, or a failure with code and message.
 *
 * Workers are processes, so a function that crashes, loops or exits costs its own item and nothing else. The library names
 * that item, the others complete, and a new worker replaces the lost one.
 *
 * @section threads Threads
 *
 * Every function may be called from any thread of the host, unless its comment says otherwise. A fair lock
 * serialises the calls on one pool. The library does not hold it while it copies bytes of the host, so a call that copies
 * much delays no other call. Only one thread at a time may be in #mape_pool_dispatch, #mape_pool_next_event or #mape_pool_next_events;
 * a second one gets #MAPE_E_BUSY. The library runs one thread of its own per started pool; it blocks all signals and never calls into the
 * host, except for the wakeup hook (#mape_pool_set_wakeup), which may only notify.
 *
 * @section callbacks Callbacks
 *
 * Callbacks run inside #mape_pool_dispatch, on the thread that called it. They may call everything but
 * #mape_pool_dispatch, #mape_pool_next_event and #mape_pool_next_events: submit, cancel, shut down, and release, the pool they were
 * called for as well.
 * A callback may be left by longjmp, by an exception, or by the end of its thread: see #mape_event_fn.
 *
 * @section waits Waits
 *
 * A call that waits returns when what it waits for has come, when its timeout is over, and when the pool is shut down,
 * fails or is released by another thread. A thread may be cancelled (pthread_cancel) while it waits in #mape_job_wait,
 * #mape_pool_next_event, #mape_pool_start or the call of a proxy: it ends there, and other threads wait on. A thread that is cancelled
 * in any other call, also in #mape_pool_shutdown or #mape_pool_release, finishes the call first; it ends at its next
 * cancellation point.
 *
 * #mape_job_wait, #mape_pool_next_event, #mape_pool_next_events, #mape_pool_start and #mape_pool_shutdown return #MAPE_E_INTERRUPTED
 * before that when #mape_pool_interrupt is called; with `interruptible` of #mape_pool_config also when a signal handler of the host
 * has run in the waiting thread, whatever its SA_RESTART says. Nothing is lost by it: call again to wait on. While such a thread moves
 * data, for microseconds, signals are held back until it sleeps (not SIGSEGV and its like). A signal that the kernel gives to another
 * thread interrupts no wait: block it in other threads, or call #mape_pool_interrupt in its handler. A handler must not leave a wait
 * by longjmp. A shutdown can be interrupted as long as it waits for jobs; the pool then takes no jobs any more, and the next call goes
 * on with the shutdown. Calls of proxies and #mape_pool_release are not interrupted.
 *
 * @section ownership Ownership
 *
 * The library copies what the host passes in before the call returns, unless it lies in a #mape_buffer of the same pool,
 * which workers read in place. What the library hands out belongs to the library; each comment says for how long it stays
 * valid. Handles (`mape_pool *`, `mape_job *`, `mape_buffer *`) are not pointers to memory: a call with a released handle
 * returns #MAPE_E_HANDLE.
 *
 * @section errors Errors
 *
 * Functions return #MAPE_OK (0) or a negative status. #mape_status_string gives its general meaning; #mape_message gives
 * the particulars of the last failed call on a pool, and names the argument at fault. Nothing lives in thread-local
 * storage. Before the library touches memory that the host describes by address, count, stride and size, it compares the range with
 * the addresses that a process can have: a range that passes their end is #MAPE_E_OVERFLOW. The library cannot know whether the
 * memory is mapped.
 *
 * @section texts Texts
 *
 * Texts of the host (paths, variables, names), texts of functions and output of workers are bytes, and the library passes them on
 * unchanged. Two names are equal when their bytes are. A text that is too long is cut between two characters of UTF-8. Messages of the
 * library are UTF-8; other bytes in them become U+FFFD. The library refuses a name or path that is "".
 *
 * @section process What the library does to the host's process
 *
 * It installs no signal handler, changes no signal mask of the host's threads, and changes no environment
 * variable, locale, working directory or limit of the host. It waits for no child but its own helper (the zygote), by
 * pidfd. The end of that one child raises SIGCHLD in the host, as the end of any child does. All descriptors are
 * close-on-exec, and none gets the number of a standard file that the host has closed. The library reads the environment in the call
 * that starts the pool, and at no other time; all workers get that environment. A call needs less than 48 KiB of its thread's stack.
 * A host that locks its memory before it makes a pool (mlockall(2), MCL_FUTURE) locks no reserve: pages become resident as they are
 * used. A host that calls mlockall with MCL_CURRENT and without MCL_ONFAULT while a pool exists makes all reserves resident: set
 * `input_reserve` and `output_reserve` small then.
 * Children that the host forks inherit none of the library's shared memory. The first #mape_pool_create registers a handler of
 * pthread_atfork(3), which closes the library's descriptors in them (but that of #mape_pool_event_fd) and stays. A child may
 * make pools of its own. The handles and proxies of its parent are refused there with #MAPE_E_FORKED. The child of vfork(2) can make
 * no call. A worker may make pools as well, which end with it: at most three pools one inside another, 16 in a worker at once, none in a
 * sandbox and none in a process that a function has forked. The handles of its host are refused there with #MAPE_E_IN_WORKER. The library
 * writes nothing to the file system unless `crash_dir` of #mape_pool_config is set, and none of its processes survives the host,
 * however the host dies.
 *
 * @section cluster Other machines
 *
 * With mape_pool_config.cluster a pool has a second helper, `mapengine-remote`, which comes in a package of its own. It asks the server which machines
 * there are, and what they have room for; for each such room the pool has one more worker, which is assigned ranges as those of this machine
 * are. The host's process links and loads nothing more for that. A range counts as begun only when its answer is here: what is slow or lost runs again,
 * on this machine or another one, the first answer wins, and no item is blamed for the loss of a machine. So an item may run more than once, and its function
 * should change nothing but its result. Functions travel as the name of a library and of symbols (a pointer, if it is a symbol that
 * its library exports), or as the name of what a zygote's program offers, and need the library on the other machine; others run on this machine
 * alone, and a #MAPE_EVENT_LOG says so once. A pool that has workers of its own never fails for what happens to others: the helper
 * is started again, with pauses, as long as the pool is there. mape_job_config.where says on which machines a job runs.
 *
 * @section names Names and arguments
 *
 * A function's name begins with what it works on: mape_pool_, mape_function_, mape_buffer_, mape_job_, mape_stream_, mape_proxy_,
 * mape_task_. #mape_apply, #mape_map and #mape_map_columns make jobs. Arguments that receive something come first, then the handle,
 * then the rest. Types of callbacks begin with `context` or the task. A handle is given back by the function of its kind that ends in
 * `_release`.
 *
 * @section structs Structures
 *
 * Every structure that the host fills or receives starts with `struct_size`, and has an initialiser:
 * `mape_job_config config = MAPE_JOB_CONFIG_INIT;`. A field that is zero means the default. A call returns
 * #MAPE_E_SIZE for a size that is not the structure's.
 *
 * @section time Time
 *
 * All times are nanoseconds in `int64_t`: `MAPE_MILLISECONDS(200)`. With a timeout of 0 a call looks and does not wait; with a
 * negative one (#MAPE_FOREVER) it waits without end. In configurations 0 means the default, and negative means none.
 *
 * @section versions Versions
 *
 * #MAPE_ABI_VERSION is the number in the soname. It changes when a program built against an older header would break.
 *
 * @section bindings Other languages
 *
 * `share/mapengine/abi.json` describes all of this for programs: functions, structures with offsets, enums, constants.
 * `share/mapengine/mapengine_abi.py` has the same as declarations of Python's ctypes. LuaJIT's `ffi.cdef` reads the headers themselves:
 * one after another, as they are included below, without their preprocessor lines. That is, lines that end in a backslash are joined with
 * the next, what stands between `#ifdef __cplusplus` and `#endif` goes, and so does each line that begins with a number sign.
 */

#include "mapengine/base.h"
#include "mapengine/worker.h"
#include "mapengine/config.h"
#include "mapengine/events.h"
#include "mapengine/core.h"
#include "mapengine/stats.h"
#include "mapengine/native.h"
#include "mapengine/trace.h"

#endif /* MAPENGINE_H */
