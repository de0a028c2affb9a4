// RecordTracker on any stream in any pieces: after each it knows of what has come as much as one
// who sees the stream as a whole.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <probekit/tls/detail/record_tracker.hpp>

#include "bytes.hpp"
#include "expect.hpp"

namespace {

/// Whether a whole number of records has come.
bool ends_between_records(std::string_view stream) {
    while (stream.size() >= 5) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(stream[at]); };
        const std::size_t length = 5 + 256U * byte(3) + byte(4);
        if (length > stream.size()) return false;
        stream.remove_prefix(length);
    }
    return stream.empty();
}

/// Go's rule, of the first five bytes.
bool cannot_be_tls(std::string_view stream) {
    if (stream.size() < 5) return false;
    const bool known_type = stream[0] == 0x15 || stream[0] == 0x16;
    return !known_type || static_cast<unsigned char>(stream[1]) > 0x0f;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    std::uint32_t seed = input.byte();
    const unsigned longest = 1 + input.byte();
    const std::string_view stream = input.rest();
    probekit::detail::RecordTracker tracker;
    for (std::size_t end = 0;;) {
        const std::string_view come = stream.substr(0, end);
        fuzz::expect(tracker.between_records() == ends_between_records(come),
                     "it knows whether a record is complete");
        fuzz::expect(tracker.is_no_tls() == cannot_be_tls(come), "it knows a stream without TLS");
        fuzz::expect(tracker.is_http() == (come.substr(0, 5) == "HTTP/"),
                     "it knows a stream of HTTP");
        if (end == stream.size()) return 0;
        seed = seed * 1664525 + 1013904223;
        const std::size_t next = std::min<std::size_t>(end + (seed >> 8) % longest, stream.size());
        tracker.consume(stream.substr(end, next - end));
        // Pieces may be empty, but not all of them.
        if (next == end)
            tracker.consume(stream.substr(end++, 1));
        else
            end = next;
    }
}
