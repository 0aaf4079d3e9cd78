#include "zeromq_pipeline.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

namespace {

// A message starts with the index of its task.
constexpr std::size_t head = sizeof(std::uint64_t) * 2; // So that what follows is aligned to 16 bytes.
constexpr std::uint64_t most_under_way = 1000;

void expect(bool fine, const char *call) {
    if (fine) return;
    std::fprintf(stderr, "%s: %s\n", call, zmq_strerror(zmq_errno()));
    std::_Exit(1);
}

/// Names in the abstract namespace leave no files behind.
std::string address(const char *name, pid_t host) {
    return "ipc://@mapengine-bench-" + std::string(name) + "-" + std::to_string(host);
}

void *make_socket(void *context, int type) {
    void *socket = zmq_socket(context, type);
    expect(socket != nullptr, "zmq_socket");
    const int none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    return socket;
}

[[noreturn]] void serve(pid_t host, const ZeroMQWork &work) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    void *context = zmq_ctx_new();
    void *tasks = make_socket(context, ZMQ_PULL);
    void *results = make_socket(context, ZMQ_PUSH);
    expect(zmq_connect(tasks, address("tasks", host).c_str()) == 0, "zmq_connect");
    expect(zmq_connect(results, address("results", host).c_str()) == 0, "zmq_connect");
    while (true) {
        zmq_msg_t task, result;
        zmq_msg_init(&task);
        expect(zmq_msg_recv(&task, tasks, 0) >= 0, "zmq_msg_recv");
        const auto *bytes = static_cast<const char *>(zmq_msg_data(&task));
        work(bytes + head, zmq_msg_size(&task) - head, [&](std::size_t size) -> void * {
            expect(zmq_msg_init_size(&result, head + size) == 0, "zmq_msg_init_size");
            std::memcpy(zmq_msg_data(&result), bytes, head);
            return static_cast<char *>(zmq_msg_data(&result)) + head;
        });
        expect(zmq_msg_send(&result, results, 0) >= 0, "zmq_msg_send");
        zmq_msg_close(&task);
    }
}

} // namespace

ZeroMQPipeline::ZeroMQPipeline(int workers, const ZeroMQWork &work) {
    const pid_t host = getpid();
    // Forked first: a context does not outlive a fork.
    for (int i = 0; i < workers; i++) {
        const pid_t child = fork();
        expect(child >= 0, "fork");
        if (child == 0) serve(host, work);
        children.push_back(child);
    }
    context = zmq_ctx_new();
    tasks = make_socket(context, ZMQ_PUSH);
    results = make_socket(context, ZMQ_PULL);
    expect(zmq_bind(tasks, address("tasks", host).c_str()) == 0, "zmq_bind");
    expect(zmq_bind(results, address("results", host).c_str()) == 0, "zmq_bind");
    // Tasks sent before all workers have connected would all go to the first.
    usleep(300'000);
}

ZeroMQPipeline::~ZeroMQPipeline() {
    for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children) waitpid(child, nullptr, 0);
    zmq_close(tasks);
    zmq_close(results);
    zmq_ctx_term(context);
}

void ZeroMQPipeline::send(std::uint64_t index, const void *task, std::size_t size) {
    zmq_msg_t message;
    expect(zmq_msg_init_size(&message, head + size) == 0, "zmq_msg_init_size");
    auto *bytes = static_cast<char *>(zmq_msg_data(&message));
    std::memcpy(bytes, &index, sizeof index);
    std::memcpy(bytes + head, task, size);
    expect(zmq_msg_send(&message, tasks, 0) >= 0, "zmq_msg_send");
}

void ZeroMQPipeline::receive(const std::function<void(std::uint64_t, const void *, std::size_t)> &take) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    expect(zmq_msg_recv(&message, results, 0) >= 0, "zmq_msg_recv");
    const auto *bytes = static_cast<const char *>(zmq_msg_data(&message));
    std::uint64_t index = 0;
    std::memcpy(&index, bytes, sizeof index);
    take(index, bytes + head, zmq_msg_size(&message) - head);
    zmq_msg_close(&message);
}

void ZeroMQPipeline::map(std::uint64_t count, const std::function<void(std::uint64_t)> &send_one,
                         const std::function<void(std::uint64_t, const void *, std::size_t)> &take) {
    std::uint64_t sent = 0, received = 0;
    while (received < count) {
        while (sent < count && sent - received < most_under_way) send_one(sent++);
        receive(take);
        received++;
    }
}
