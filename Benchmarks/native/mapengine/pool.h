// A pool of workers, as the rows need it. Any failure ends the program: a benchmark of failures is of no use.
#pragma once

#include <mapengine.h>

#include <cstddef>
#include <cstdint>

#include "work.h"

class Job {
public:
    explicit Job(mape_job *handle) : handle(handle) {}
    ~Job() { mape_job_release(handle); }
    Job(const Job &) = delete;
    Job &operator=(const Job &) = delete;

    void wait() const;
    /// Copies all results into an array; every item has to have ended well.
    void gather(void *results, std::size_t size, std::size_t stride) const;
    /// The result of an item, in place.
    const void *result(std::uint64_t index) const;

    mape_job *const handle;
};

class Pool {
public:
    /// Returns when all workers are ready.
    explicit Pool(const mape_pool_config &config);
    explicit Pool(int workers = work::workers) : Pool(settings(workers)) {}
    static mape_pool_config settings(int workers = work::workers, mape_start start = MAPE_START_EXEC);

    ~Pool() { mape_pool_release(handle); }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    /// Functions of the benchmark's own library.
    mape_function_id function(const char *symbol) const;
    mape_function_id range_function(const char *symbol) const;

    /// A typed function of that library.
    mape_function_id typed_function(const char *prototype, std::uint32_t flags = 0) const;

    /// Memory that workers read in place; lives as long as the pool.
    void *buffer(std::size_t size) const;

    mape_job *map(mape_function_id function, const void *items, std::size_t count, std::size_t item_size,
                  std::uint64_t chunk = 0) const;
    mape_job *apply(mape_function_id function, const void *input, std::size_t size) const;
    std::int32_t worker_pid(std::uint32_t index) const;
    mape_worker_state worker_state(std::uint32_t index) const;

    /// Ends the program with the pool's message if the call failed.
    void expect(int status, const char *call) const;

    mape_pool *handle = nullptr;
};
