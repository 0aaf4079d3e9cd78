// ZeroMQ's pipeline over ipc: the host pushes tasks to worker processes, which push results back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

/// A message, filled in place.
using ZeroMQOutput = std::function<void *(std::size_t size)>;
/// What a worker does with a task: reads it, asks once for the memory of its answer, fills it.
using ZeroMQWork = std::function<void(const void *task, std::size_t size, const ZeroMQOutput &output)>;

class ZeroMQPipeline {
public:
    ZeroMQPipeline(int workers, const ZeroMQWork &work);
    ~ZeroMQPipeline();
    ZeroMQPipeline(const ZeroMQPipeline &) = delete;
    ZeroMQPipeline &operator=(const ZeroMQPipeline &) = delete;

    /// Sends task `index`; its bytes are copied into the message.
    void send(std::uint64_t index, const void *task, std::size_t size);
    /// Takes one result: its task's index, and its bytes.
    void receive(const std::function<void(std::uint64_t index, const void *result, std::size_t size)> &take);

    /// Sends `count` tasks and takes their results, with no more than so many under way that queues stay short.
    void map(std::uint64_t count, const std::function<void(std::uint64_t index)> &send_one,
             const std::function<void(std::uint64_t index, const void *result, std::size_t size)> &take);

private:
    void *context;
    void *tasks;
    void *results;
    std::vector<pid_t> children;
};
