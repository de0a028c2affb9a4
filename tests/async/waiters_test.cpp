// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/async/detail/waiters.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/async/detail/context_state.hpp>

using namespace probekit::detail;
using Queue = WaiterQueue<int>;

namespace {

Ref<Queue> queue_on(asio::io_context& io) {
    return Ref{new Queue{ContextState::of(io.get_executor())}};
}

// What the handlers got, in order.
struct Completions {
    std::vector<std::string> lines = {};
    auto as(std::string name) {
        return [this, name](std::error_code error, int value) {
            lines.push_back(name + (error ? ":" + error.message() : "=" + std::to_string(value)));
        };
    }
};

const std::string aborted = std::error_code{asio::error::operation_aborted}.message();

} // namespace

TEST_CASE("waits complete in the order they began, from the event loop only") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Completions completions;
    queue->add(completions.as("a"), io.get_executor());
    queue->add(completions.as("b"), io.get_executor());
    queue->complete_all({}, 7);
    CHECK(completions.lines.empty());
    CHECK(queue->empty());
    io.run();
    CHECK(completions.lines == std::vector<std::string>{"a=7", "b=7"});
}

TEST_CASE("only waits with the tag complete") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Completions completions;
    queue->add(completions.as("one"), io.get_executor(), 1);
    queue->add(completions.as("two"), io.get_executor(), 2);
    queue->add(completions.as("one too"), io.get_executor(), 1);
    queue->complete(1, {}, 5);
    io.poll();
    CHECK(completions.lines == std::vector<std::string>{"one=5", "one too=5"});
    CHECK_FALSE(queue->empty());
    queue->complete_all(asio::error::operation_aborted, 0);
    io.restart();
    io.run();
    CHECK(completions.lines.back() == "two:" + aborted);
}

TEST_CASE("waits whose tags are chosen complete, in the order they began") {
    asio::io_context io;
    const Ref queue{new Queue{ContextState::of(io.get_executor())}};
    Completions completions;
    for (const int tag : {3, 1, 2, 4})
        queue->add(completions.as(std::to_string(tag)), io.get_executor(), tag);
    queue->complete_if([](int tag) { return tag <= 2; }, {}, 8);
    io.poll();
    CHECK(completions.lines == std::vector<std::string>{"1=8", "2=8"});
    CHECK_FALSE(queue->empty());
    queue->complete_all({}, 9);
    io.run();
    CHECK(completions.lines == std::vector<std::string>{"1=8", "2=8", "3=9", "4=9"});
    CHECK(queue->empty());
}

TEST_CASE("a wait keeps run() from returning until it has completed") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Completions completions;
    queue->add(completions.as("a"), io.get_executor());
    io.poll();
    CHECK_FALSE(io.stopped());
    queue->complete_all({}, 1);
    io.run();
    CHECK(io.stopped());
    CHECK(completions.lines.size() == 1);
}

TEST_CASE("one waiter can be cancelled alone, once") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Completions completions;
    asio::cancellation_signal signal;
    queue->add(asio::bind_cancellation_slot(signal.slot(), completions.as("cancelled")),
               io.get_executor());
    queue->add(completions.as("other"), io.get_executor());
    signal.emit(asio::cancellation_type::partial);
    signal.emit(asio::cancellation_type::terminal);
    CHECK(completions.lines.empty());
    queue->complete_all({}, 3);
    io.run();
    CHECK(completions.lines == std::vector<std::string>{"cancelled:" + aborted, "other=3"});
    CHECK_FALSE(signal.slot().has_handler());
}

TEST_CASE("a completion on its way is not cancelled any more") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Completions completions;
    asio::cancellation_signal signal;
    queue->add(asio::bind_cancellation_slot(signal.slot(), completions.as("a")), io.get_executor());
    queue->complete_all({}, 3);
    signal.emit(asio::cancellation_type::terminal);
    io.run();
    CHECK(completions.lines == std::vector<std::string>{"a=3"});
}

TEST_CASE("the handler's own executor and allocator are used") {
    asio::io_context io, other;
    const auto queue = queue_on(io);
    bool completed = false;
    BlockPool pool;
    queue->add(
        asio::bind_executor(other.get_executor(),
                            asio::bind_allocator(PoolAllocator<void>{pool},
                                                 [&](std::error_code, int) { completed = true; })),
        io.get_executor());
    queue->complete_all({}, 1);
    io.run();
    CHECK_FALSE(completed);
    other.run();
    CHECK(completed);
}

TEST_CASE(
    "the context may be destroyed before the queue, and the queue before its waits complete") {
    Completions completions;
    const auto kept = std::make_shared<int>(1);
    const auto handler = [kept, inner = completions.as("never")](
                             std::error_code error, int value) mutable { inner(error, value); };
    SECTION("context first") {
        std::optional<asio::io_context> io{std::in_place};
        const auto queue = queue_on(*io);
        queue->add(handler, io->get_executor());
        CHECK(kept.use_count() == 3);
        io.reset();
        CHECK(kept.use_count() == 2); // destroyed without a call
        queue->complete_all({}, 1);
    }
    SECTION("context first, with a completion on its way") {
        std::optional<asio::io_context> io{std::in_place};
        const auto queue = queue_on(*io);
        queue->add(handler, io->get_executor());
        queue->complete_all({}, 1);
        io.reset();
        CHECK(kept.use_count() == 2);
    }
    SECTION("the last reference is released while a completion is posted") {
        asio::io_context io;
        auto queue = queue_on(io);
        queue->add(completions.as("a"), io.get_executor());
        queue->complete_all({}, 1);
        queue = {};
        io.run();
        CHECK(completions.lines == std::vector<std::string>{"a=1"});
        return;
    }
    CHECK(completions.lines.empty());
}

TEST_CASE("a handler may begin another wait, or throw") {
    asio::io_context io;
    const auto queue = queue_on(io);
    int count = 0;
    queue->add(
        [&](std::error_code, int) {
            ++count;
            queue->add([&](std::error_code, int) { ++count; }, io.get_executor());
            throw 1;
        },
        io.get_executor());
    queue->complete_all({}, 1);
    CHECK_THROWS_AS(io.run(), int);
    queue->complete_all({}, 1);
    io.run();
    CHECK(count == 2);
}

TEST_CASE("waits from several threads") {
    asio::thread_pool pool{4};
    const Ref<Queue> queue{new Queue{ContextState::of(pool.get_executor())}};
    std::atomic<int> completed = 0;
    for (int i = 0; i != 4; ++i)
        asio::post(pool, [&] {
            for (int j = 0; j != 500; ++j) {
                queue->add([&](std::error_code, int) { ++completed; }, pool.get_executor());
                if (j % 10 == 0) queue->complete_all({}, j);
            }
            queue->complete_all({}, 0);
        });
    pool.wait();
    queue->complete_all({}, 0);
    CHECK(completed <= 2000);
    CHECK(completed >= 1);
}
