// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/error.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;

namespace {

/// The category of another library, known by its name only.
class NamedCategory final : public std::error_category {
public:
    explicit NamedCategory(const char* name) : name_(name) {}
    const char* name() const noexcept override { return name_; }
    std::string message(int) const override { return name_; }

private:
    const char* name_;
};

const NamedCategory asio_system{"asio.system"};
const NamedCategory asio_netdb{"asio.netdb"};
const NamedCategory asio_addrinfo{"asio.addrinfo"};
const NamedCategory asio_misc{"asio.misc"};

} // namespace

static_assert(std::is_error_code_enum_v<Errc>);

TEST_CASE("Errc is an error code of its own category") {
    const std::error_code code = Errc::http_status;
    CHECK(code.category() == probekit_category());
    CHECK(&probekit_category() == &probekit_category());
    CHECK(std::string{code.category().name()} == "probekit");
    CHECK(code == Errc::http_status);
    CHECK(code != Errc::exit_status);
    CHECK(bool{code});
}

TEST_CASE("Every Errc has a text, and no two the same") {
    std::vector<std::string> texts;
    for (int value = 1; value <= static_cast<int>(Errc::no_source_address); ++value) {
        const std::string text = probekit_category().message(value);
        CHECK_FALSE(text.empty());
        CHECK(text != probekit_category().message(1000));
        for (const std::string& other : texts) CHECK(text != other);
        texts.push_back(text);
    }
    CHECK(texts.size() == 15);
}

TEST_CASE("no local address is no lack of local ports, though it has the same errno") {
    const std::error_code no_ports = std::make_error_code(std::errc::address_not_available);
    CHECK(is_local_fault(no_ports));
    CHECK_FALSE(is_local_fault(Errc::no_local_address));
    CHECK(Errc::no_local_address == std::errc::address_not_available);
    CHECK(make_error_code(Errc::no_local_address) != no_ports);
    CHECK_FALSE(is_local_fault(Errc::no_source_address));
    CHECK(Errc::no_source_address == std::errc::address_not_available);
    CHECK(detail::is_prober_error(Errc::no_source_address)); // but no failure of the target's
    CHECK_FALSE(detail::is_prober_error(Errc::no_local_address));
}

TEST_CASE("timed_out equals std::errc::timed_out, and nothing else does") {
    CHECK(make_error_code(Errc::timed_out) == std::errc::timed_out);
    CHECK(Errc::timed_out == std::errc::timed_out);
    CHECK(make_error_code(Errc::timed_out) != std::errc::io_error);
    for (int value = 2; value <= static_cast<int>(Errc::no_source_address); ++value)
        CHECK(std::error_code{value, probekit_category()} != std::errc::timed_out);
}

TEST_CASE("A local fault is one of the probing machine, in either category") {
    const int number = GENERATE(EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, EAGAIN);
    CHECK(is_local_fault({number, std::system_category()}));
    CHECK(is_local_fault({number, std::generic_category()}));
    CHECK(is_local_fault({number, asio_system}));
    CHECK_FALSE(is_local_fault({number, asio_misc}));
    CHECK_FALSE(is_local_fault({number, probekit_category()}));
}

TEST_CASE("What the target or the network did is not a local fault") {
    const int number = GENERATE(0, ECONNREFUSED, ETIMEDOUT, ECONNRESET, EHOSTUNREACH, ENETUNREACH,
                                ECANCELED, ENOENT, EPIPE);
    CHECK_FALSE(is_local_fault({number, std::system_category()}));
    CHECK_FALSE(is_local_fault({number, std::generic_category()}));
}

TEST_CASE("to_std makes the codes of every Asio equal to std::errc") {
    CHECK(detail::is_cancelled({ECANCELED, asio_system}));
    CHECK(detail::is_cancelled(std::make_error_code(std::errc::operation_canceled)));
    CHECK_FALSE(detail::is_cancelled({ECANCELED, asio_misc}));
    CHECK_FALSE(detail::is_cancelled({}));
    CHECK(to_std({ECONNREFUSED, asio_system}) == std::errc::connection_refused);
    CHECK(to_std({ECONNREFUSED, asio_system}).category() == std::system_category());
    CHECK(to_std({1, asio_netdb}) == Errc::no_such_host);
    CHECK(to_std({9, asio_addrinfo}) == Errc::no_such_host);

    // Unchanged: cancellation, which users compare with asio::error::operation_aborted, and every
    // other code.
    const auto code = GENERATE(std::error_code{}, std::error_code{ECANCELED, asio_system},
                               std::error_code{2, asio_misc},
                               std::error_code{ECONNREFUSED, std::system_category()},
                               std::error_code{ECONNREFUSED, std::generic_category()},
                               make_error_code(Errc::bad_redirect));
    CHECK(to_std(code) == code);
    CHECK(to_std(code).category() == code.category());
}

TEST_CASE("A ConfigError names its field") {
    CHECK(ConfigError{"period", "must be greater than zero"}.message() ==
          "period: must be greater than zero");
    CHECK(ConfigError{"", "no handler"}.message() == "no handler");
    CHECK(ConfigError{"a", "b"} == ConfigError{"a", "b"});
    CHECK(ConfigError{"a", "b"} != ConfigError{"a", "c"});
}

TEST_CASE("A ConfigException lists all mistakes") {
    const ConfigException thrown{
        {{"period", "must be greater than zero"}, {"timeout", "must be greater than zero"}}};
    CHECK(std::string{thrown.what()} ==
          "period: must be greater than zero; timeout: must be greater than zero");
    CHECK(thrown.errors().size() == 2);
    CHECK(thrown.errors()[1].field == "timeout");
    static_assert(std::is_base_of_v<std::invalid_argument, ConfigException>);
    static_assert(std::is_nothrow_copy_constructible_v<std::invalid_argument>);
}
