#include "pool.h"

#include <cstdio>
#include <cstdlib>

namespace {

[[noreturn]] void fail(const mape_pool *pool, int status, const char *call) {
    char message[1024] = "";
    mape_message(message, sizeof message, pool);
    std::fprintf(stderr, "%s: %s: %s\n", call, mape_status_string(status), message);
    std::exit(1);
}

} // namespace

void Job::wait() const {
    const int status = mape_job_wait(handle, MAPE_FOREVER);
    if (status != MAPE_OK) fail(nullptr, status, "mape_job_wait");
}

void Job::gather(void *results, std::size_t size, std::size_t stride) const {
    std::uint64_t missing = 0;
    const int status = mape_job_gather(results, size, stride, &missing, handle);
    if (status != MAPE_OK || missing > 0) fail(nullptr, status, "mape_job_gather");
}

const void *Job::result(std::uint64_t index) const {
    mape_result result = MAPE_RESULT_INIT;
    const int status = mape_job_result(&result, handle, index);
    if (status != MAPE_OK || result.state != MAPE_ITEM_OK) fail(nullptr, status, result.message);
    return result.data;
}

mape_pool_config Pool::settings(int workers, mape_start start) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = static_cast<std::uint32_t>(workers);
    config.start = start;
    return config;
}

Pool::Pool(const mape_pool_config &config) {
    expect(mape_pool_create(&handle, &config), "mape_pool_create");
    expect(mape_pool_start(handle, MAPE_FOREVER), "mape_pool_start");
}

mape_function_id Pool::function(const char *symbol) const {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = BENCH_FUNCTIONS;
    function.run_symbol = symbol;
    mape_function_id id = 0;
    expect(mape_function_register(&id, handle, &function), "mape_function_register");
    return id;
}

mape_function_id Pool::typed_function(const char *prototype, std::uint32_t flags) const {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = BENCH_FUNCTIONS;
    function.prototype = prototype;
    function.native_flags = flags;
    mape_function_id id = 0;
    expect(mape_function_register(&id, handle, &function), "mape_function_register");
    return id;
}

mape_function_id Pool::range_function(const char *symbol) const {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = BENCH_FUNCTIONS;
    function.run_range_symbol = symbol;
    mape_function_id id = 0;
    expect(mape_function_register(&id, handle, &function), "mape_function_register");
    return id;
}

void *Pool::buffer(std::size_t size) const {
    mape_buffer *buffer = nullptr;
    expect(mape_buffer_create(&buffer, handle, size), "mape_buffer_create");
    void *data = nullptr;
    expect(mape_buffer_data(&data, nullptr, buffer), "mape_buffer_data");
    return data;
}

mape_job *Pool::map(mape_function_id function, const void *items, std::size_t count, std::size_t item_size,
                    std::uint64_t chunk) const {
    mape_items input = MAPE_ITEMS_INIT;
    input.base = items;
    input.count = count;
    input.item_size = item_size;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = chunk;
    mape_job *job = nullptr;
    expect(mape_map(&job, handle, function, &input, &config), "mape_map");
    return job;
}

mape_job *Pool::apply(mape_function_id function, const void *input, std::size_t size) const {
    mape_job *job = nullptr;
    expect(mape_apply(&job, handle, function, input, size, nullptr), "mape_apply");
    return job;
}

std::int32_t Pool::worker_pid(std::uint32_t index) const {
    mape_worker_info info = MAPE_WORKER_INFO_INIT;
    expect(mape_pool_worker(&info, handle, index), "mape_pool_worker");
    return info.pid;
}

mape_worker_state Pool::worker_state(std::uint32_t index) const {
    mape_worker_info info = MAPE_WORKER_INFO_INIT;
    expect(mape_pool_worker(&info, handle, index), "mape_pool_worker");
    return static_cast<mape_worker_state>(info.state);
}

void Pool::expect(int status, const char *call) const {
    if (status != MAPE_OK) fail(handle, status, call);
}
