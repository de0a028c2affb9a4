// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/detail/small_function.hpp>

#include <array>
#include <functional>
#include <memory>
#include <utility>

#include <catch2/catch_test_macros.hpp>

using probekit::detail::SmallFunction;

namespace {

int free_sum = 0;
void free_function(const int& value) { free_sum += value; }

} // namespace

TEST_CASE("small and large callables are called, moved and destroyed") {
    const auto alive = std::make_shared<int>(0);
    const auto check = [&](auto callable) {
        {
            SmallFunction<int> function{std::move(callable)};
            CHECK(function);
            function(2);
            SmallFunction<int> moved{std::move(function)};
            moved(3);
            SmallFunction<int> assigned;
            CHECK_FALSE(assigned);
            assigned = std::move(moved);
            assigned(4);
            assigned = std::move(*&assigned);
            CHECK(assigned);
        }
        CHECK(*alive == 9);
        *alive = 0;
    };
    check([alive](const int& value) { *alive += value; });
    check([alive, room = std::array<char, 200>{}](const int& value) mutable {
        room[0] = 1;
        *alive += value;
    });
    check([alive, only = std::make_unique<int>(1)](const int& value) { *alive += value * *only; });
    CHECK(alive.use_count() == 1);
}

TEST_CASE("plain functions, references and empty things") {
    SmallFunction<int> function{&free_function};
    function(5);
    CHECK(free_sum == 5);
    int sum = 0;
    auto lambda = [&](const int& value) { sum += value; };
    SmallFunction<int> referring{std::ref(lambda)};
    referring(7);
    CHECK(sum == 7);
    CHECK_FALSE(SmallFunction<int>{std::function<void(const int&)>{}});
    void (*none)(const int&) = nullptr;
    CHECK_FALSE(SmallFunction<int>{none});
}
