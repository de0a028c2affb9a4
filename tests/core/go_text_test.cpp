// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/go_text.hpp>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <dlfcn.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

bool is_translated = false;

} // namespace

/// Found before libc's, and called by std::error_code::message(): as in a program that has set
/// another locale.
extern "C" char* strerror(int number) noexcept {
    static const auto real = reinterpret_cast<char* (*)(int)>(::dlsym(RTLD_NEXT, "strerror"));
    static char other[] = "Verbindungsaufbau abgelehnt";
    return is_translated ? other : real(number);
}

TEST_CASE("Durations are written as Go writes them") {
    // Each checked against Go's time.Duration.String().
    const auto [span, text] = GENERATE(
        std::pair<Duration, std::string>{0ns, "0s"}, std::pair<Duration, std::string>{1ns, "1ns"},
        std::pair<Duration, std::string>{999ns, "999ns"},
        std::pair<Duration, std::string>{1us, "1\u00b5s"},
        std::pair<Duration, std::string>{1100ns, "1.1\u00b5s"},
        std::pair<Duration, std::string>{2200us, "2.2ms"},
        std::pair<Duration, std::string>{250ms, "250ms"},
        std::pair<Duration, std::string>{999999us, "999.999ms"},
        std::pair<Duration, std::string>{1s, "1s"},
        std::pair<Duration, std::string>{1500ms, "1.5s"},
        std::pair<Duration, std::string>{3s + 1ns, "3.000000001s"},
        std::pair<Duration, std::string>{1min, "1m0s"},
        std::pair<Duration, std::string>{80s, "1m20s"},
        std::pair<Duration, std::string>{5min, "5m0s"},
        std::pair<Duration, std::string>{1h, "1h0m0s"},
        std::pair<Duration, std::string>{1h + 1ms, "1h0m0.001s"},
        std::pair<Duration, std::string>{-1500ms, "-1.5s"},
        std::pair<Duration, std::string>{-1ns, "-1ns"},
        std::pair<Duration, std::string>{Duration::max(), "2562047h47m16.854775807s"},
        std::pair<Duration, std::string>{Duration::min(), "-2562047h47m16.854775808s"});
    CHECK(go_duration(span) == text);
}

TEST_CASE("Texts are quoted as Go's %q quotes them") {
    struct Row {
        std::string_view text;
        std::string_view quoted;
    };
    using namespace std::string_view_literals;
    const Row row = GENERATE(values<Row>({
        {"", R"("")"},
        {"plain ~", R"("plain ~")"},
        {R"(a"b\c)", R"("a\"b\\c")"},
        {"\a\b\f\n\r\t\v", R"("\a\b\f\n\r\t\v")"},
        {"\x01\x1f\x7f\0"sv, R"("\x01\x1f\x7f\x00")"},
        {"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80",
         "\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\""},  // printable: as they are
        {"\xff\xfe", R"("\xff\xfe")"},                 // no UTF-8
        {"\xc3", R"("\xc3")"},                         // cut off
        {"\xc3(", R"("\xc3(")"},                       // no continuation
        {"\xc0\xaf", R"("\xc0\xaf")"},                 // overlong, two bytes
        {"\xe0\x80\xaf", R"("\xe0\x80\xaf")"},         // three bytes
        {"\xf0\x80\x80\xaf", R"("\xf0\x80\x80\xaf")"}, // four bytes
        {"\xed\xa0\x80", R"("\xed\xa0\x80")"},         // a surrogate
        {"\xf4\x90\x80\x80", R"("\xf4\x90\x80\x80")"}, // beyond the last code point
        {"\xc2\x85\xc2\xa0\xc2\xad", R"("\u0085\u00a0\u00ad")"},
        {"\xe2\x80\x8b\xe2\x80\xa8\xe3\x80\x80\xef\xbb\xbf", R"("\u200b\u2028\u3000\ufeff")"},
        {"\xee\x80\x80", R"("\ue000")"},
        {"\xf3\xb0\x80\x80", R"("\U000f0000")"},
        {"\xef\xbf\xbf", R"("\uffff")"},
    }));
    CHECK(go_quoted(row.text) == row.quoted);
}

TEST_CASE("System errors begin with a small letter, unless they begin with an acronym") {
    const auto text = [](int number) { return go_error_text({number, std::system_category()}); };
    CHECK(text(ECONNREFUSED) == "connection refused");
    CHECK(text(EIO) == "input/output error");
#if defined(__GLIBC__)
    CHECK(text(EDOTDOT) == "RFS specific error");
    CHECK(text(ELIBSCN) == ".lib section in a.out corrupted");
#endif
    CHECK(go_error_text(make_error_code(std::errc::no_such_file_or_directory)) ==
          "no such file or directory");
    CHECK(go_error_text({}) == "success");
}

#if defined(__GLIBC__)
TEST_CASE("A system error is said in the same words in every locale") {
    const std::error_code refused{ECONNREFUSED, std::system_category()};
    is_translated = true;
    const std::string plain = refused.message();
    const std::string text = go_error_text(refused);
    is_translated = false;
    CHECK(plain == "Verbindungsaufbau abgelehnt");
    CHECK(text == "connection refused");
    CHECK(go_error_text({100'000, std::generic_category()}) == "unknown error 100000");
}
#endif
