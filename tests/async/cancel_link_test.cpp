// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/async/detail/cancel_link.hpp>

#include <memory>
#include <optional>

#include <asio/cancellation_signal.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using probekit::detail::CancelLink;

namespace {

struct Operation {
    void cancel_requested() { ++cancelled; }
    int cancelled = 0;
    CancelLink link = {};
};

} // namespace

TEST_CASE("an emission of any type reaches the operation") {
    const asio::cancellation_type type =
        GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                 asio::cancellation_type::total, asio::cancellation_type::all);
    asio::cancellation_signal signal;
    Operation operation;
    operation.link.connect(signal.slot(), operation);
    signal.emit(type);
    CHECK(operation.cancelled == 1);
    signal.emit(asio::cancellation_type::none);
    CHECK(operation.cancelled == 1);
}

TEST_CASE("after disconnecting the slot is free") {
    asio::cancellation_signal signal;
    Operation operation;
    operation.link.connect(signal.slot(), operation);
    operation.link.disconnect(signal.slot());
    CHECK_FALSE(signal.slot().has_handler());
    signal.emit(asio::cancellation_type::terminal);
    CHECK(operation.cancelled == 0);
}

TEST_CASE("a slot that another operation has taken meanwhile is left alone") {
    asio::cancellation_signal signal;
    Operation first, second;
    first.link.connect(signal.slot(), first);
    second.link.connect(signal.slot(), second);
    first.link.disconnect(signal.slot());
    signal.emit(asio::cancellation_type::terminal);
    CHECK(first.cancelled == 0);
    CHECK(second.cancelled == 1);
}

TEST_CASE("either end may go first") {
    SECTION("the operation: a late emission touches nothing") {
        asio::cancellation_signal signal;
        {
            const auto operation = std::make_unique<Operation>();
            operation->link.connect(signal.slot(), *operation);
        }
        signal.emit(asio::cancellation_type::terminal);
    }
    SECTION("the signal: disconnecting touches nothing") {
        Operation operation;
        std::optional<asio::cancellation_signal> signal{std::in_place};
        operation.link.connect(signal->slot(), operation);
        signal.reset();
        operation.link.disconnect(asio::cancellation_slot{});
        CHECK(operation.cancelled == 0);
    }
}

TEST_CASE("a slot that is not connected is no slot") {
    Operation operation;
    operation.link.connect(asio::cancellation_slot{}, operation);
    operation.link.disconnect(asio::cancellation_slot{});
    CHECK(operation.cancelled == 0);
}
