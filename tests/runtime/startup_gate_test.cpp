// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/startup_gate.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#if defined(ASIO_HAS_CO_AWAIT)
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/use_awaitable.hpp>
#endif

using namespace probekit;
using detail::BlockPool;
using detail::GateAccess;
using detail::GateListener;
using detail::GateState;
using detail::PoolAllocator;
using detail::Ref;

static_assert(std::is_nothrow_move_constructible_v<StartupGate> &&
              !std::is_copy_constructible_v<StartupGate>);
static_assert(std::is_move_assignable_v<StartupGate::Condition>);
static_assert(!std::is_copy_constructible_v<StartupGate::Condition>);
static_assert(!std::is_default_constructible_v<StartupGate::Condition>);

namespace {

// What a wait completed with; nothing while it is pending.
using Completion = std::optional<std::error_code>;

auto into(Completion& completion) {
    return [&completion](std::error_code error) {
        CHECK_FALSE(completion); // once
        completion = error;
    };
}

Ref<GateState> state_of(const StartupGate& gate) { return GateAccess::state(gate); }

// Counts its notifications and its references; without references it may be destroyed.
class Listener final : public GateListener {
public:
    explicit Listener(Ref<GateState> gate) : gate_(std::move(gate)) { gate_->subscribe(*this); }
    ~Listener() {
        gate_->unsubscribe(*this);
        while (references != 0) std::this_thread::yield();
    }

    std::atomic<int> notified = 0;
    std::atomic<int> references = 0;
    std::atomic<bool> open_when_notified = false;
    std::atomic<bool> always_retained = true;
    std::function<void()> then = [] {};

private:
    void retain_owner() noexcept override { ++references; }
    void release_owner() noexcept override { --references; }
    void gate_changed() override {
        if (references == 0) always_retained = false;
        ++notified;
        open_when_notified = gate_->is_open();
        then();
    }

    Ref<GateState> gate_;
};

} // namespace

TEST_CASE("a gate is closed at first, and opened and closed by hand") {
    asio::io_context io;
    StartupGate gate{io};
    CHECK_FALSE(gate.is_open());
    gate.open();
    CHECK(gate.is_open());
    gate.open();
    CHECK(gate.is_open());
    gate.close();
    CHECK_FALSE(gate.is_open());
}

TEST_CASE("a gate takes executors as well as contexts") {
    asio::io_context io;
    asio::thread_pool pool{1};
    CHECK_FALSE(StartupGate{io.get_executor()}.is_open());
    CHECK_FALSE(StartupGate{asio::make_strand(io)}.is_open());
    CHECK_FALSE(StartupGate{asio::any_io_executor{io.get_executor()}}.is_open());
    CHECK_FALSE(StartupGate{pool}.is_open());
    CHECK(StartupGate{io}.get_executor() == asio::any_io_executor{io.get_executor()});
}

TEST_CASE("with conditions a gate is open while all of them are met") {
    asio::io_context io;
    StartupGate gate{io};
    auto first = gate.add_condition();
    auto second = gate.add_condition();
    CHECK_FALSE(gate.is_open());
    first.set(true);
    CHECK_FALSE(gate.is_open());
    first.set(true); // set twice, it is still one of two
    CHECK_FALSE(gate.is_open());
    second.set(true);
    CHECK(gate.is_open());
    first.set(false);
    CHECK_FALSE(gate.is_open());
    first.set(true);
    CHECK(gate.is_open());
}

TEST_CASE("a new condition is unmet, so it closes an open gate") {
    asio::io_context io;
    StartupGate gate{io};
    gate.open();
    auto first = gate.add_condition();
    CHECK_FALSE(gate.is_open());
    first.set(true);
    CHECK(gate.is_open());
    auto second = gate.add_condition();
    CHECK_FALSE(gate.is_open());
    second.set(true);
    CHECK(gate.is_open());
}

TEST_CASE("opening by hand makes all conditions met, closing makes them unmet") {
    asio::io_context io;
    StartupGate gate{io};
    auto first = gate.add_condition();
    auto second = gate.add_condition();
    second.set(true);

    gate.open();
    CHECK(gate.is_open());
    second.set(true);
    CHECK(gate.is_open());
    first.set(false); // it was met
    CHECK_FALSE(gate.is_open());
    first.set(true);
    CHECK(gate.is_open());

    gate.close();
    CHECK_FALSE(gate.is_open());
    first.set(false);
    second.set(true);
    CHECK_FALSE(gate.is_open());
    first.set(true);
    CHECK(gate.is_open());
}

TEST_CASE("a condition that is destroyed stays as it was last set") {
    asio::io_context io;
    StartupGate gate{io};
    std::optional<StartupGate::Condition> first{gate.add_condition()};
    auto second = gate.add_condition();
    SECTION("met") {
        first->set(true);
        first.reset();
        second.set(true);
        CHECK(gate.is_open());
    }
    SECTION("unmet: only the gate itself can be opened") {
        first.reset();
        second.set(true);
        CHECK_FALSE(gate.is_open());
        gate.open();
        CHECK(gate.is_open());
        second.set(false);
        second.set(true);
        CHECK(gate.is_open());
    }
}

TEST_CASE("a condition may be moved") {
    asio::io_context io;
    StartupGate gate{io};
    auto condition = gate.add_condition();
    condition.set(true);
    auto moved = std::move(condition);
    CHECK(gate.is_open());
    moved.set(false);
    CHECK_FALSE(gate.is_open());

    StartupGate other{io};
    auto assigned = other.add_condition();
    assigned = std::move(moved);
    assigned.set(true);
    CHECK(gate.is_open());
    CHECK_FALSE(other.is_open());
}

TEST_CASE("a gate may be moved, its conditions and waits go with it") {
    asio::io_context io;
    std::optional<StartupGate> gate{io};
    auto condition = gate->add_condition();
    Completion completion;
    gate->async_wait(into(completion));
    StartupGate moved{std::move(*gate)};
    gate.reset();
    condition.set(true);
    CHECK(moved.is_open());
    io.run();
    CHECK(completion == std::error_code{});
}

TEST_CASE("assigning to a gate destroys the gate that was there") {
    asio::io_context io;
    StartupGate gate{io}, next{io};
    next.open();
    Completion completion;
    gate.async_wait(into(completion));
    gate = std::move(next);
    CHECK(gate.is_open());
    io.run();
    CHECK(completion == std::error_code{asio::error::operation_aborted});
}

TEST_CASE("a wait completes at the next opening, from the event loop only") {
    asio::io_context io;
    StartupGate gate{io};
    Completion completion;
    gate.async_wait(into(completion));
    io.poll();
    CHECK_FALSE(completion);
    CHECK_FALSE(io.stopped()); // it keeps run() going

    SECTION("opened by hand") { gate.open(); }
    SECTION("opened by its conditions") { gate.add_condition().set(true); }
    SECTION("closed again before the loop runs") {
        gate.open();
        gate.close();
    }
    CHECK_FALSE(completion);
    io.run();
    CHECK(completion == std::error_code{});
}

TEST_CASE("a wait at an open gate completes soon, not at once") {
    asio::io_context io;
    StartupGate gate{io};
    gate.open();
    Completion completion;
    gate.async_wait(into(completion));
    gate.close(); // the wait is over
    CHECK_FALSE(completion);
    io.run();
    CHECK(completion == std::error_code{});
}

TEST_CASE("a wait that begins after an opening waits for the next") {
    asio::io_context io;
    StartupGate gate{io};
    gate.open();
    gate.close();
    Completion completion;
    gate.async_wait(into(completion));
    io.poll();
    CHECK_FALSE(completion);
    gate.open();
    io.run();
    CHECK(completion == std::error_code{});
}

TEST_CASE("many wait at one gate, and wait again from their handlers") {
    asio::io_context io;
    StartupGate gate{io};
    std::vector<int> order;
    for (int i = 0; i != 3; ++i) {
        gate.async_wait([&, i](std::error_code) {
            order.push_back(i);
            gate.async_wait([&, i](std::error_code) { order.push_back(10 + i); });
        });
    }
    gate.open();
    gate.close();
    io.poll();
    CHECK(order == std::vector{0, 1, 2});
    gate.open();
    io.run();
    CHECK(order == std::vector{0, 1, 2, 10, 11, 12});
}

TEST_CASE("destroying a gate ends its waits") {
    asio::io_context io;
    std::optional<StartupGate> gate{io};
    Completion completion, opened;
    SECTION("pending waits") {}
    SECTION("not those that have completed") {
        gate->async_wait(into(opened));
        gate->open();
        gate->close();
    }
    gate->async_wait(into(completion));
    gate.reset();
    CHECK_FALSE(completion);
    io.run();
    CHECK(completion == std::error_code{asio::error::operation_aborted});
    if (opened) CHECK(opened == std::error_code{});
}

TEST_CASE("for the workers behind it a destroyed gate stays as it was") {
    asio::io_context io;
    const bool open = GENERATE(false, true);
    std::optional<StartupGate> gate{io};
    auto condition = gate->add_condition();
    condition.set(open);
    const auto state = state_of(*gate);
    Listener listener{state};
    gate.reset();
    condition.set(!open);
    CHECK(state->is_open() == open);
    CHECK(listener.notified == 0);
}

TEST_CASE("a wait may be cancelled alone") {
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    asio::io_context io;
    StartupGate gate{io};
    asio::cancellation_signal signal;
    Completion cancelled, other;
    gate.async_wait(asio::bind_cancellation_slot(signal.slot(), into(cancelled)));
    gate.async_wait(into(other));
    signal.emit(type);
    CHECK_FALSE(cancelled);
    io.poll();
    CHECK(cancelled == std::error_code{asio::error::operation_aborted});
    CHECK_FALSE(other);
    gate.open();
    io.run();
    CHECK(other == std::error_code{});
    signal.emit(type); // nothing of the wait is left in the slot
}

TEST_CASE("an opening that came first wins over the cancellation") {
    asio::io_context io;
    StartupGate gate{io};
    asio::cancellation_signal signal;
    Completion completion;
    gate.async_wait(asio::bind_cancellation_slot(signal.slot(), into(completion)));
    gate.open();
    signal.emit(asio::cancellation_type::terminal);
    io.run();
    CHECK(completion == std::error_code{});
}

TEST_CASE("the context may be destroyed first, with waits pending and listeners behind the gate") {
    auto io = std::make_unique<asio::io_context>();
    std::optional<StartupGate> gate{asio::make_strand(*io)}; // a strand must be released in time
    auto condition = gate->add_condition();
    auto owned = std::make_shared<int>();
    gate->async_wait([owned](std::error_code) { FAIL("called after its context was destroyed"); });
    Listener listener{state_of(*gate)};
    CHECK(owned.use_count() == 2);
    SECTION("pending") {}
    SECTION("completed, but not run") { condition.set(true); }
    io.reset();
    CHECK(owned.use_count() == 1);
    gate.reset();
}

TEST_CASE("the wait's own executor and allocator are used") {
    asio::io_context io, other;
    StartupGate gate{io};
    BlockPool pool;
    bool completed = false;
    const auto strand = asio::make_strand(other);
    gate.async_wait(asio::bind_allocator(PoolAllocator<void>{pool},
                                         asio::bind_executor(strand, [&](std::error_code) {
                                             CHECK(strand.running_in_this_thread());
                                             completed = true;
                                         })));
    gate.open();
    io.run();
    CHECK_FALSE(completed);
    other.run();
    CHECK(completed);
}

TEST_CASE("an exception of a handler passes to the caller of run(), and the other waits complete") {
    asio::io_context io;
    StartupGate gate{io};
    Completion completion;
    gate.async_wait([](std::error_code) { throw 7; });
    gate.async_wait(into(completion));
    gate.open();
    CHECK_THROWS_AS(io.run(), int);
    io.run();
    CHECK(completion == std::error_code{});
}

TEST_CASE("a gate may be destroyed from inside a handler of its own") {
    asio::io_context io;
    auto gate = std::make_unique<StartupGate>(io);
    Completion completion;
    gate->async_wait([&](std::error_code) {
        gate->async_wait(into(completion));
        gate->close();
        gate.reset();
    });
    gate->open();
    io.run();
    CHECK(completion == std::error_code{}); // it was open when the second wait began
}

TEST_CASE("a wait gives what its token says") {
    asio::io_context io;
    StartupGate gate{io};
    gate.open();
    SECTION("a future") {
        std::future<void> opened = gate.async_wait(asio::use_future);
        io.run();
        CHECK_NOTHROW(opened.get());
    }
#if defined(ASIO_HAS_CO_AWAIT)
    SECTION("an awaitable") {
        bool opened = false;
        asio::co_spawn(
            io,
            [&]() -> asio::awaitable<void> {
                co_await gate.async_wait(asio::use_awaitable);
                opened = true;
            },
            [](std::exception_ptr error) { CHECK(error == nullptr); });
        io.run();
        CHECK(opened);
    }
    SECTION("an awaitable that begins after the gate was destroyed") {
        std::error_code error;
        asio::co_spawn(
            io,
            [&]() -> asio::awaitable<void> {
                std::optional<StartupGate> other{io};
                auto wait = other->async_wait(asio::use_awaitable);
                other.reset();
                try {
                    co_await std::move(wait);
                } catch (const std::system_error& thrown) { error = thrown.code(); }
            },
            [](std::exception_ptr thrown) { CHECK(thrown == nullptr); });
        io.run();
        CHECK(error == asio::error::operation_aborted);
    }
#endif
}

TEST_CASE("listeners are notified of each change once, after it") {
    asio::io_context io;
    StartupGate gate{io};
    Listener listener{state_of(gate)};
    gate.close(); // it was closed
    CHECK(listener.notified == 0);
    gate.open();
    CHECK(listener.notified == 1);
    CHECK(listener.open_when_notified);
    gate.open();
    CHECK(listener.notified == 1);
    gate.close();
    CHECK(listener.notified == 2);
    CHECK_FALSE(listener.open_when_notified);
    CHECK(listener.references == 0);
    CHECK(listener.always_retained);

    auto condition = gate.add_condition();
    condition.set(true);
    CHECK(listener.notified == 3);
    gate.open();
    CHECK(listener.notified == 3);
}

TEST_CASE("a listener that was removed, or added after the change, is not notified") {
    asio::io_context io;
    StartupGate gate{io};
    std::optional<Listener> removed{state_of(gate)};
    removed.reset();
    gate.open();
    Listener late{state_of(gate)};
    CHECK(late.notified == 0);
    gate.close();
    CHECK(late.notified == 1);
}

TEST_CASE("listeners may be added and removed while others are notified") {
    asio::io_context io;
    StartupGate gate{io};
    Listener first{state_of(gate)};
    auto second = std::make_unique<Listener>(state_of(gate));
    Listener third{state_of(gate)};
    std::optional<Listener> late;
    first.then = [&] {
        second.reset();
        late.emplace(state_of(gate));
    };
    gate.open();
    CHECK(first.notified == 1);
    CHECK(third.notified == 1);
    CHECK(late->notified == 0);
    first.then = [] {};
    gate.close();
    CHECK(first.notified == 2);
    CHECK(third.notified == 2);
    CHECK(late->notified == 1);
}

TEST_CASE(
    "the gate may change while its listeners are notified: all are notified of the last state") {
    asio::io_context io;
    StartupGate gate{io};
    Listener first{state_of(gate)};
    Listener second{state_of(gate)};
    first.then = [&] { gate.close(); }; // the second time it is closed already
    gate.open();
    CHECK_FALSE(first.open_when_notified);
    CHECK_FALSE(second.open_when_notified);
    CHECK(first.notified == 2);
    CHECK(second.notified >= 1);
}

TEST_CASE(
    "the reference to a listener that throws is released, and those behind it are notified later") {
    asio::io_context io;
    const auto state = Ref{new GateState{io.get_executor()}};
    Listener first{state};
    Listener second{state};
    first.then = [] { throw 7; };
    CHECK_THROWS_AS(state->set_all(true), int);
    CHECK(first.references == 0);
    CHECK(state->is_open());
    first.then = [] {};
    state->set_all(false);
    CHECK(first.notified == 2);
    CHECK(second.notified == 1);
}

TEST_CASE("gate, conditions and waits are used from many threads") {
    constexpr int threads = 4;
    constexpr int rounds = 300;
    asio::thread_pool pool{2};
    std::atomic<int> opened = 0;
    {
        StartupGate gate{asio::make_strand(pool)};
        Listener always{state_of(gate)};
        std::vector<StartupGate::Condition> conditions;
        for (int i = 0; i != threads; ++i) conditions.push_back(gate.add_condition());
        std::vector<std::thread> users;
        for (int i = 0; i != threads; ++i) {
            users.emplace_back([&, i] {
                auto& own = conditions[static_cast<std::size_t>(i)];
                for (int round = 0; round != rounds; ++round) {
                    own.set(round % 2 == 0);
                    conditions[static_cast<std::size_t>((i + 1) % threads)].set(
                        round % 3 == 0); // the neighbour's
                    if (round % 7 == 0) gate.open();
                    if (round % 11 == 0) gate.close();
                    gate.async_wait([&](std::error_code error) {
                        if (!error) ++opened;
                    });
                    const Listener passing_by{state_of(gate)};
                    static_cast<void>(gate.is_open());
                }
                own.set(true);
            });
        }
        for (std::thread& user : users) user.join();
        for (auto& condition : conditions) condition.set(true);
        CHECK(gate.is_open());
        pool.join();
        CHECK(always.open_when_notified);
        CHECK(always.references == 0);
        CHECK(always.always_retained);
    }
    CHECK(opened == threads * rounds);
}

TEST_CASE("waits that begin while the gate opens are never lost") {
    for (int round = 0; round != 200; ++round) {
        asio::io_context io;
        StartupGate gate{io};
        Completion completion;
        std::thread opener{[&] { gate.open(); }};
        gate.async_wait(into(completion));
        opener.join();
        io.run();
        CHECK(completion == std::error_code{});
    }
}

TEST_CASE("a condition outlives its gate, on another thread") {
    for (int round = 0; round != 200; ++round) {
        asio::io_context io;
        std::optional<StartupGate> gate{io};
        auto condition = gate->add_condition();
        Completion completion;
        gate->async_wait(into(completion));
        std::thread setter{[&] { condition.set(true); }};
        gate.reset();
        setter.join();
        io.run();
        CHECK(completion); // either way
    }
}
