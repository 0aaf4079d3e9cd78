// test_maps.cpp - typed functions, maps, results in place, buffers, globals, streams
//
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"
#include "workers.hpp"

#include <array>
#include <cstring>
#include <numeric>

TEST(a_map_of_doubles_gives_doubles) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    static_assert(std::is_same_v<decltype(function), mape::Function<double, double>>);
    std::vector<double> in(1000);
    std::iota(in.begin(), in.end(), 0.0);
    auto job = must(pool.map(function, in));
    const auto out = must(job.collect());
    REQUIRE(out.size() == 1000);
    for (std::size_t i = 0; i < out.size(); i++) REQUIRE(out[i] == in[i] * in[i]);
    std::array<double, 1000> gathered{};
    REQUIRE(must(job.gather(gathered)) == 0 && gathered[31] == 961);
    REQUIRE(job.is_done());
}

TEST(results_are_read_in_place) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&norm>());
    const Point points[] = {{3, 4}, {6, 8}, {0, 1}};
    auto job = must(pool.map(function, points));
    must(job.wait());
    const auto first = must(job.item(0)), again = must(job.item(0));
    REQUIRE(first && first.value() == 5 && *first.get() == 5 && first.span().size() == 1);
    REQUIRE(first.get() == again.get() && first.raw().data == first.get());
    REQUIRE(must(job.item(2)).value() == 1 && must(job.item(2)).attempts() == 1);
    REQUIRE(job.item(3).status() == MAPE_E_INDEX);
}

TEST(results_of_many_elements_have_their_own_sizes) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&factors>());
    static_assert(std::is_same_v<decltype(function), mape::Function<std::uint32_t, std::uint32_t[]>>);
    auto job = must(pool.map(function, std::vector<std::uint32_t>{12, 1, 97}));
    must(job.wait());
    const auto twelve = must(job.item(0)).span();
    REQUIRE(twelve.size() == 3 && twelve[0] == 2 && twelve[1] == 2 && twelve[2] == 3);
    REQUIRE(must(job.item(1)) && must(job.item(1)).span().empty());
    REQUIRE(must(job.item(2)).span()[0] == 97 && must(job.item(2)).bytes().size() == 4);
    auto counted = must(pool.function<&countdown>());
    auto raw = must(pool.apply(counted, 4u));
    must(raw.wait());
    std::uint32_t last = 0;
    REQUIRE(must(raw.item(0)).bytes().size() == 16);
    std::memcpy(&last, must(raw.item(0)).bytes().data() + 12, 4);
    REQUIRE(last == 1);
}

TEST(items_of_many_elements_have_their_own_sizes) {
    auto pool = pool_of(2);
    auto summing = must(pool.function<&sum>());
    const std::vector<std::vector<double>> rows = {{1, 2, 3}, {}, {10, 20}};
    const auto sums = must(must(pool.map(summing, rows)).collect());
    REQUIRE(sums == std::vector<double>{6, 0, 30});
    REQUIRE(must(must(pool.apply(summing, std::array<double, 2>{2, 3})).collect())[0] == 5);
    auto shouting = must(pool.function<&shout>());
    auto job = must(pool.apply(shouting, std::string("hello")));
    must(job.wait());
    const auto text = must(job.item(0)).span();
    REQUIRE(std::string(text.data(), text.size()) == "HELLO");
}

TEST(a_buffer_is_read_where_it_lies) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&place_of>());
    auto buffer = must(pool.buffer<Point>(600));
    REQUIRE(buffer.size() == 600 && reinterpret_cast<std::uintptr_t>(buffer.data()) % 4096 == 0);
    for (Point &point : buffer) point = {1, 2};
    const auto places = must(must(pool.map(function, buffer)).collect());
    for (std::size_t i = 0; i < places.size(); i++) REQUIRE(places[i] == i * sizeof(Point) % 4096);
    REQUIRE(pool.buffer<Point>(SIZE_MAX).status() < 0);
}

TEST(an_empty_range_is_a_job_that_is_done) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    auto job = must(pool.map(function, std::vector<double>{}));
    must(job.wait());
    REQUIRE(must(job.collect()).empty());
}

TEST(an_item_that_crashes_costs_itself_alone) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&crash_on_odd>());
    auto job = must(pool.map(function, std::vector<int>{2, 3, 4}));
    must(job.wait());
    std::vector<int> out(3, -1);
    REQUIRE(must(job.gather(out)) == 1 && out == std::vector<int>{2, -1, 4});
    const auto crashed = must(job.item(1));
    REQUIRE(!crashed && crashed.state() == MAPE_ITEM_CRASHED && crashed.cause() == MAPE_CAUSE_SIGNAL &&
            crashed.code() == 11);
    REQUIRE(crashed.get() == nullptr && crashed.span().empty() && !crashed.mark());
    REQUIRE(must(job.crash(1)).signal == 11 && job.crash(0).status() == MAPE_E_STATE);
    const auto all = job.collect();
    REQUIRE(!all && all.status() == MAPE_ITEM_CRASHED && all.error().text().find("item 1: ") == 0);
}

#if defined(__cpp_exceptions)
TEST(an_exception_of_a_worker_fails_its_item) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&throw_on_odd>());
    auto job = must(pool.map(function, std::vector<int>{2, 3, 13}));
    must(job.wait());
    REQUIRE(must(job.item(0)).value() == 2);
    const auto failed = must(job.item(1)), unknown = must(job.item(2));
    REQUIRE(failed.state() == MAPE_ITEM_FAILED && failed.cause() == MAPE_CAUSE_FUNCTION);
    REQUIRE(std::string(failed.message()) == "odd: 3" && failed.error().text() == "item 1: odd: 3");
    REQUIRE(std::string(unknown.message()) == "an exception of an unknown type");
}
#endif

TEST(a_worker_class_lives_as_long_as_its_worker) {
    auto pool = pool_of(2);
    auto function = must(pool.worker<Multiplier>(Settings{2.5, 0}));
    REQUIRE(must(must(pool.map(function, std::vector<double>{2, 4})).collect()) == std::vector<double>{5, 10});
    auto offset = must(pool.worker<Offset>(7));
    REQUIRE(must(must(pool.apply(offset, 3)).collect())[0] == 10);
    auto broken = must(pool.worker<Multiplier>(Settings{1, 1}));
    auto job = must(pool.apply(broken, 1.0));
    must(job.wait());
    REQUIRE(must(job.item(0)).cause() == MAPE_CAUSE_SETUP);
    REQUIRE(std::string(must(job.item(0)).message()).find("no multiplier today") != std::string::npos);
}

TEST(globals_and_data_of_jobs_reach_the_function) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&from_globals>());
    must(pool.set_global("table", std::vector<float>{1, 2, 3}));
    decltype(function)::Options options;
    const float offset = 0.5f;
    options.set_data(offset);
    const std::vector<std::uint32_t> indices = {2, 0, 9};
    auto job = must(pool.map(function, indices, options));
    must(job.wait());
    REQUIRE(must(job.item(0)).value() == 3.5f && must(job.item(1)).value() == 1.5f);
    REQUIRE(must(job.item(2)).code() == 3);
    must(pool.remove_global("table"));
    auto after = must(pool.map(function, indices));
    must(after.wait());
    REQUIRE(must(after.item(0)).state() == MAPE_ITEM_FAILED);
}

TEST(an_item_of_another_size_is_refused) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    const mape_function_id id = function.id();
    mape_job *job = nullptr;
    REQUIRE(mape_apply(&job, pool.handle(), id, "abc", 3, nullptr) == MAPE_OK &&
            mape_job_wait(job, MAPE_FOREVER) == MAPE_OK);
    mape_result result = MAPE_RESULT_INIT;
    REQUIRE(mape_job_result(&result, job, 0) == MAPE_OK && result.state == MAPE_ITEM_FAILED &&
            result.code == MAPE_E_SIZE);
    // And a result of another size than its type.
    auto wrong = must(pool.function<std::uint32_t, double>(mape::by_pointer(&mape::run<&factors>)));
    auto wrong_job = must(pool.apply(wrong, 7u));
    must(wrong_job.wait());
    const auto item = must(wrong_job.item(0));
    REQUIRE(item && item.get() == nullptr && item.span().empty() && item.error().status == MAPE_E_SIZE);
    mape_job_release(job);
}

TEST(a_job_is_cancelled_half_way) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&wait_for_cancel>());
    std::vector<int> numbers(100, 1);
    numbers[0] = 0;
    decltype(function)::Options options;
    options.chunk = 1;
    auto job = must(pool.map(function, numbers, options));
    while (must(job.progress()).ok == 0 || must(job.progress()).running == 0) usleep(1000);
    REQUIRE(must(job.cancel_waiting()) > 0);
    must(job.cancel());
    must(job.wait());
    const auto end = must(job.progress());
    REQUIRE(end.is_done && end.ok == 1 && end.done == 100 && end.cancelled >= 90);
    const auto counted = must(job.stats());
    REQUIRE(counted.items == 100 && counted.ok == 1 && counted.cancelled == end.cancelled &&
            counted.copied_bytes == 100 * sizeof(int));
    REQUIRE(must(function.stats()).items == 100);
}

TEST(a_stream_takes_what_its_window_has_room_for) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    decltype(function)::Options options;
    options.window = 100;
    options.ordered = 1;
    std::vector<double> results;
    options.on_item = [&](const mape::Item<double> &item) {
        EXPECT(item.index() == results.size());
        results.push_back(item.value());
    };
    auto stream = must(pool.stream(function, options));
    std::vector<double> numbers(250);
    std::iota(numbers.begin(), numbers.end(), 0.0);
    std::size_t pushed = 0;
    bool was_full = false;
    while (pushed < numbers.size()) {
        const std::size_t accepted = must(stream.push({&numbers[pushed], numbers.size() - pushed}));
        REQUIRE(accepted <= 100);
        was_full = was_full || pushed + accepted < numbers.size();
        pushed += accepted;
        must(pool.dispatch());
    }
    const double last = 250;
    while (!must(stream.push_one({&last, 1}))) must(pool.dispatch());
    must(stream.finish());
    REQUIRE(stream.push(numbers).status() == MAPE_E_CLOSED);
    must(pool.run(stream));
    REQUIRE(was_full && results.size() == 251 && results[250] == 62500);
}

TEST(functions_come_by_symbol_and_by_prototype) {
    auto pool = pool_of(1);
    auto root = must(pool.function<double, double>(mape::by_prototype("libm.so.6", "double sqrt(double x)")));
    REQUIRE(must(must(pool.map(root, std::vector<double>{9, 4})).collect()) == std::vector<double>{3, 2});
    auto none = must(pool.function<>(mape::by_symbol("libm.so.6", "no_such_symbol")));
    const auto started = pool.start();
    REQUIRE(started.status() == MAPE_E_LOAD && started.error().text().find("no_such_symbol") != std::string::npos);
    must(pool.resize(2));
    REQUIRE(must(pool.stats()).workers == 2 && must(pool.worker(0)).pid > 0);
}
