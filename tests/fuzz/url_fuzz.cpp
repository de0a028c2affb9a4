// URLs: what has been taken apart and put together again means the same, as does what a reference
// leads to.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/http/url.hpp>

#include "check.hpp"

namespace {

using namespace probekit;

/// Of URLs with a host: no other is ever asked for. Go itself cannot read every zone of an address
/// that it writes.
void check_round_trip(const http::Url& url) {
    if (url.host.empty() || url.host.find('%') != std::string::npos) return;
    const std::string text = url.text();
    const http::ParsedUrl again = http::parse_url(text);
    fuzz::check(static_cast<bool>(again), "a URL's text is a URL");
    fuzz::check(again.url.text() == text, "it is the same URL");
    fuzz::check(again.url.hostname() == url.hostname(), "its host is the same");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    http::ParsedUrl parsed = http::parse_url(text);
    if (!parsed) {
        fuzz::check(!parsed.error.empty(), "who refuses a URL says why");
        return 0;
    }
    static_cast<void>(parsed.url.text_for_messages());
    static_cast<void>(parsed.url.text_without_user());
    check_round_trip(parsed.url);
    const http::Url base = http::parse_url("http://127.0.0.1:80/d/a?q").url;
    static_cast<void>(http::resolve(base, std::move(parsed.url)).text());
    return 0;
}
