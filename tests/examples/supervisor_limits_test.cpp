#include <cstddef>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "run/descriptors.hpp"
#include "run/hook_permits.hpp"

using namespace supervisor;

TEST_CASE("what is left of the descriptors bounds the attempts, of which one is always possible") {
    for (const std::size_t descriptors : {0U, 10U, 32U, 64U, 1024U, 20000U})
        for (const std::size_t containers : {0U, 1U, 10U, 500U, 100000U}) {
            CAPTURE(descriptors, containers);
            const AttemptsAtOnce at_once = attempts_within(descriptors, containers);
            CHECK(at_once.probes >= 1);
            CHECK(at_once.hooks >= 1);
            const std::size_t taken = 32 + 2 * containers + 3 * (at_once.probes + at_once.hooks);
            CHECK((taken <= descriptors || (at_once.probes == 1 && at_once.hooks == 1)));
            if (descriptors > taken) CHECK(descriptors - taken < 3); // and no fewer
        }
    CHECK(attempts_within(20000, 500).probes > 4000);
    CHECK(attempts_within(1024, 500).probes == 1);
}

TEST_CASE("a hook waits for a permit behind those who came before it") {
    HookPermits permits{2};
    std::string begun;
    const auto hook = [&](char name, bool wanted = true) {
        return [&begun, name, wanted] {
            if (wanted) begun += name;
            return wanted;
        };
    };
    for (const char name : {'a', 'b', 'c'}) permits.acquire(hook(name));
    permits.acquire(hook('x', false)); // is not wanted any more when its turn comes
    permits.acquire(hook('d'));
    CHECK(begun == "ab");
    permits.release();
    CHECK(begun == "abc");
    permits.release();
    CHECK(begun == "abcd");
    permits.release();
    permits.release();
    permits.acquire(hook('e'));
    CHECK(begun == "abcde");
}
