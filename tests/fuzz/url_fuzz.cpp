// URLs: a URL that was parsed and printed means the same when it is parsed again. Resolving any
// reference ends.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/http/url.hpp>

#include "expect.hpp"

namespace {

using namespace probekit;

/// Probes ask for URLs with a host only. Go itself cannot parse every zone of an address that it
/// prints.
void check_round_trip(const http::Url& url) {
    if (url.host.empty() || url.host.find('%') != std::string::npos) return;
    const std::string text = url.text();
    const http::ParsedUrl again = http::parse_url(text);
    fuzz::expect(static_cast<bool>(again), "a URL's text can be parsed");
    fuzz::expect(again.url.text() == text, "the URL is the same");
    fuzz::expect(again.url.hostname() == url.hostname(), "the host is the same");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    http::ParsedUrl parsed = http::parse_url(text);
    if (!parsed) {
        fuzz::expect(!parsed.error.empty(), "a rejected URL has an error");
        return 0;
    }
    static_cast<void>(parsed.url.text_for_messages());
    static_cast<void>(parsed.url.text_without_user());
    check_round_trip(parsed.url);
    const http::Url base = http::parse_url("http://127.0.0.1:80/d/a?q").url;
    static_cast<void>(http::resolve(base, std::move(parsed.url)).text());
    return 0;
}
