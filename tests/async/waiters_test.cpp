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

// What was told, in order.
struct Told {
    std::vector<std::string> lines = {};
    auto as(std::string name) {
        return [this, name](std::error_code error, int value) {
            lines.push_back(name + (error ? ":" + error.message() : "=" + std::to_string(value)));
        };
    }
};

const std::string aborted = std::error_code{asio::error::operation_aborted}.message();

} // namespace

TEST_CASE("waiters are told in the order they came, from the event loop only") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Told told;
    queue->add(told.as("a"), io.get_executor());
    queue->add(told.as("b"), io.get_executor());
    queue->complete_all({}, 7);
    CHECK(told.lines.empty());
    CHECK(queue->empty());
    io.run();
    CHECK(told.lines == std::vector<std::string>{"a=7", "b=7"});
}

TEST_CASE("only those with the tag are told") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Told told;
    queue->add(told.as("one"), io.get_executor(), 1);
    queue->add(told.as("two"), io.get_executor(), 2);
    queue->add(told.as("one too"), io.get_executor(), 1);
    queue->complete(1, {}, 5);
    io.poll();
    CHECK(told.lines == std::vector<std::string>{"one=5", "one too=5"});
    CHECK_FALSE(queue->empty());
    queue->complete_all(asio::error::operation_aborted, 0);
    io.restart();
    io.run();
    CHECK(told.lines.back() == "two:" + aborted);
}

TEST_CASE("a waiter keeps its context at work until it has been told") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Told told;
    queue->add(told.as("a"), io.get_executor());
    io.poll();
    CHECK_FALSE(io.stopped());
    queue->complete_all({}, 1);
    io.run();
    CHECK(io.stopped());
    CHECK(told.lines.size() == 1);
}

TEST_CASE("one waiter can be cancelled alone, once") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Told told;
    asio::cancellation_signal signal;
    queue->add(asio::bind_cancellation_slot(signal.slot(), told.as("cancelled")),
               io.get_executor());
    queue->add(told.as("other"), io.get_executor());
    signal.emit(asio::cancellation_type::partial);
    signal.emit(asio::cancellation_type::terminal);
    CHECK(told.lines.empty());
    queue->complete_all({}, 3);
    io.run();
    CHECK(told.lines == std::vector<std::string>{"cancelled:" + aborted, "other=3"});
    CHECK_FALSE(signal.slot().has_handler());
}

TEST_CASE("a completion on its way is not cancelled any more") {
    asio::io_context io;
    const auto queue = queue_on(io);
    Told told;
    asio::cancellation_signal signal;
    queue->add(asio::bind_cancellation_slot(signal.slot(), told.as("a")), io.get_executor());
    queue->complete_all({}, 3);
    signal.emit(asio::cancellation_type::terminal);
    io.run();
    CHECK(told.lines == std::vector<std::string>{"a=3"});
}

TEST_CASE("the handler's own executor and allocator are used") {
    asio::io_context io, other;
    const auto queue = queue_on(io);
    bool told = false;
    BlockPool pool;
    queue->add(
        asio::bind_executor(other.get_executor(),
                            asio::bind_allocator(PoolAllocator<void>{pool},
                                                 [&](std::error_code, int) { told = true; })),
        io.get_executor());
    queue->complete_all({}, 1);
    io.run();
    CHECK_FALSE(told);
    other.run();
    CHECK(told);
}

TEST_CASE("the context may go before the queue, and the queue before its waiters are told") {
    Told told;
    const auto kept = std::make_shared<int>(1);
    const auto handler = [kept, inner = told.as("never")](
                             std::error_code error, int value) mutable { inner(error, value); };
    SECTION("context first") {
        std::optional<asio::io_context> io{std::in_place};
        const auto queue = queue_on(*io);
        queue->add(handler, io->get_executor());
        CHECK(kept.use_count() == 3);
        io.reset();
        CHECK(kept.use_count() == 2); // dropped untold
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
    SECTION("the last reference goes while a completion is on its way") {
        asio::io_context io;
        auto queue = queue_on(io);
        queue->add(told.as("a"), io.get_executor());
        queue->complete_all({}, 1);
        queue = {};
        io.run();
        CHECK(told.lines == std::vector<std::string>{"a=1"});
        return;
    }
    CHECK(told.lines.empty());
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
    std::atomic<int> told = 0;
    for (int i = 0; i != 4; ++i)
        asio::post(pool, [&] {
            for (int j = 0; j != 500; ++j) {
                queue->add([&](std::error_code, int) { ++told; }, pool.get_executor());
                if (j % 10 == 0) queue->complete_all({}, j);
            }
            queue->complete_all({}, 0);
        });
    pool.wait();
    queue->complete_all({}, 0);
    CHECK(told <= 2000);
    CHECK(told >= 1);
}
