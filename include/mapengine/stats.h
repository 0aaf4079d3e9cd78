/* mapengine/stats.h - what functions and jobs have done, and how long their items took
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_STATS_H
#define MAPENGINE_STATS_H

#include "core.h"

/** @file stats.h
 *  @brief Figures of functions and jobs. Those of a pool and of its workers are in core.h. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup stats Statistics of functions and jobs
 *
 *  The pool counts all of this anyway: nothing has to be switched on, and reading it costs a microsecond or two.
 *
 *  **Time per item.** A worker measures each range, and its reply says how long that took; the clock is not read per item. A range's
 *  time divided by its items counts as the time of each of them. So a slow item among quick ones of its range shows as a little for
 *  all; set `chunk` of #mape_job_config to 1 to see single items. Ranges of items that take long hold one each anyway, unless the first
 *  ones were quick. Items that ended with their worker (crashed, or killed for a time limit) have no such time; what they took until then
 *  is part of busy_ns alone. What workers on other machines say of their times counts in the same way.
 *
 *  Times per item are counted in a histogram whose buckets widen with the time, 32 to each power of two, as HdrHistogram's
 *  (https://hdrhistogram.github.io/HdrHistogram/) do. A quantile is the middle of its bucket: it differs from the exact one by at most
 *  1/64 of it, 1.6 per cent. The least and the largest are exact. They are doubles since an item of a range function may take less than
 *  a nanosecond.
 *
 *  **What a worker says is not trusted.** No worker can have worked for longer than the host's clock has moved.
 *  @{ */

/** Figures of a function or of a job. */
typedef struct mape_work_stats {
    size_t struct_size;    /**< Set to sizeof(mape_work_stats), as #MAPE_WORK_STATS_INIT does. */
    uint64_t jobs;         /**< Jobs submitted; of a job 1. */
    uint64_t items;        /**< Items that have ended: the sum of the next six. */
    uint64_t ok;           /**< Items that ended as #MAPE_ITEM_OK, */
    uint64_t failed;       /**< as #MAPE_ITEM_FAILED, */
    uint64_t crashed;      /**< as #MAPE_ITEM_CRASHED, */
    uint64_t timed_out;    /**< as #MAPE_ITEM_TIMED_OUT, */
    uint64_t cancelled;    /**< as #MAPE_ITEM_CANCELLED, */
    uint64_t abandoned;    /**< and as #MAPE_ITEM_ABANDONED. */
    uint64_t ranges;       /**< Ranges that workers have completed. */
    int64_t busy_ns;       /**< Nanoseconds that workers were on items, of all workers together. What runs counts once it has ended. */
    uint64_t timed;        /**< How many items the next six are of; 0: they are 0. */
    double min_ns;         /**< Nanoseconds per item: the least, */
    double max_ns;         /**< the largest, */
    double p50_ns;         /**< what half of all items do not pass, */
    double p90_ns;         /**< what 90 per cent, */
    double p99_ns;         /**< 99 per cent, */
    double p999_ns;        /**< and 99.9 per cent do not pass. */
    uint64_t copied_bytes; /**< Bytes of inputs that were copied, as they lie in the pool's memory: each span of a map and each item of a
                                stream rounded up to 16, each piece to 64, with 16 for the line that says where it is. */
    uint64_t shared_bytes; /**< Bytes of inputs that were not copied, as they lie in a #mape_buffer. */
    uint64_t output_bytes; /**< Bytes of output memory that results have taken. The host reads them there; only #mape_job_gather and
                                #mape_job_gather_columns copy them. Of results that are not all of one size 16 more each. */
    int64_t copy_ns;       /**< Nanoseconds that threads of the host took to copy inputs. Copies of less than 16 KiB (of a stream: pushes of
                                less than 8 KiB), a microsecond or two each, are not measured. */
    int64_t wait_ns;       /**< Of a job: from its submission until its first range was assigned to a worker; -1: none was. */
    int64_t done_ns;       /**< Of a job: from its submission until its last item had ended; until now while it is not done. */
    int64_t delivery_ns;   /**< Of a job: from then until its DONE event was delivered; -1: it was not, or nobody has asked for one. */
} mape_work_stats;
/** Initialiser of #mape_work_stats. */
#define MAPE_WORK_STATS_INIT                                                                                           \
    { sizeof(mape_work_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** Items whose time lies between two bounds. */
typedef struct mape_bucket {
    double from_ns; /**< Nanoseconds per item: this, or more, */
    double to_ns;   /**< and less than this. */
    uint64_t items; /**< How many items, at least 1. */
} mape_bucket;

/** @brief Reads what all jobs of a function have done since it was registered, those that run included.
 *
 *  The function and each of its other names (#mape_function_alias) have figures of their own.
 *  @param out receives the figures; what is of a job alone is 0. @param pool the pool. @param function a registered function, or
 *         another name of one.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SIZE, #MAPE_E_FUNCTION. Any thread, also from inside a callback. */
int mape_function_stats(mape_work_stats *out, mape_pool *pool, mape_function_id function);

/** @brief Reads what a job has done, or a stream.
 *  @param out receives the figures. @param job the job.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SIZE. Any thread, also from inside a callback. */
int mape_job_stats(mape_work_stats *out, mape_job *job);

/** @brief Copies the histogram of a function's times per item: the buckets that are not empty, those of the shortest times first.
 *  @param out receives the buckets; NULL only with capacity 0. @param capacity how many there is room for at out.
 *  @param out_count receives how many there are, also when there is not room for all; 0 on other failures.
 *  @param pool the pool. @param function a registered function, or another name of one.
 *  @return #MAPE_OK; #MAPE_E_OVERFLOW when there is not room for all (out then has the first ones); #MAPE_E_ARGUMENT; #MAPE_E_HANDLE;
 *          #MAPE_E_FUNCTION. Any thread, also from inside a callback. */
int mape_function_histogram(mape_bucket *out, size_t capacity, size_t *out_count, mape_pool *pool, mape_function_id function);

/** @brief Copies the histogram of a job's times per item.
 *  @param out as for #mape_function_histogram. @param capacity as there. @param out_count as there. @param job the job.
 *  @return as #mape_function_histogram. */
int mape_job_histogram(mape_bucket *out, size_t capacity, size_t *out_count, mape_job *job);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_STATS_H */
