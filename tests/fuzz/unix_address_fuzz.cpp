// Addresses of Unix-domain sockets: what is accepted is the text in another form, different texts
// are different addresses, and the kernel reads an abstract name as the bytes that were given.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/probes/detail/unix_address.hpp>

#include "expect.hpp"

namespace {

using namespace probekit;

/// Linux' rule: a path of at most 107 bytes, or an "@" and a name of 1 to 107 bytes.
bool is_right(std::string_view text) {
    const bool abstract = text.front() == '@';
    const std::size_t length = text.size() - (abstract ? 1 : 0);
    return length >= 1 && length <= 107 && std::ranges::find(text, '\0') == text.end();
}

std::string bytes_of(const detail::UnixAddress& address) {
    return {reinterpret_cast<const char*>(address.data()), address.size()};
}

/// The same, from the text.
std::string expected_bytes(std::string_view text) {
    const sa_family_t family = AF_UNIX;
    std::string bytes{reinterpret_cast<const char*>(&family), sizeof family};
    const bool abstract = text.front() == '@';
    if (abstract) bytes += '\0';
    bytes += text.substr(abstract ? 1 : 0);
    if (!abstract) bytes += '\0';
    return bytes;
}

/// What the kernel has understood, if nobody else has the name.
void ask_the_kernel(const detail::UnixAddress& address) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fuzz::expect(socket >= 0, "there is a socket");
    if (::bind(socket, address.data(), address.size()) == 0) {
        sockaddr_un bound{};
        socklen_t size = sizeof bound;
        fuzz::expect(::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) == 0 &&
                         size == address.size() && std::memcmp(&bound, address.data(), size) == 0,
                     "the kernel has the name that was given");
    } else {
        fuzz::expect(errno == EADDRINUSE, "an abstract name can be bound");
    }
    ::close(socket);
}

/// Returns the bytes of the address; empty if the text is none.
std::string check(std::string_view text) {
    ConfigErrors errors;
    detail::validate_unix_socket(text, errors);
    for (const ConfigError& error : errors)
        fuzz::expect(error.field == "unix_socket" && !error.detail.empty(),
                     "errors have a field and a text");
    if (text.empty()) {
        fuzz::expect(errors.empty(), "no text is no socket, and no mistake");
        return {};
    }
    fuzz::expect(errors.empty() == is_right(text), "what Linux can take is accepted, and no more");
    if (!errors.empty()) return {};
    const detail::UnixAddress address{text};
    fuzz::expect(address.text() == text, "the address has the text that it was made of");
    fuzz::expect(address.size() <= sizeof(sockaddr_un), "the address fits");
    const std::string bytes = bytes_of(address);
    fuzz::expect(bytes == expected_bytes(text), "the address has the bytes of the text");
    if (text.front() == '@') ask_the_kernel(address);
    const http::ExchangePlan plan{HttpGetAction{}, {.unix_socket = std::string{text}}};
    fuzz::expect(plan.invalid_request().empty() && plan.network() == "unix" &&
                     plan.dialled_address(0) == text,
                 "an HTTP probe names the socket");
    fuzz::expect(plan.request().find("\r\nHost: 127.0.0.1\r\n") != std::string::npos,
                 "the socket is not what a server is asked for");
    return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    const std::string_view first = input.substr(0, input.find('\xff'));
    const std::string_view second = input.substr(std::min(first.size() + 1, size));
    const std::string one = check(first);
    const std::string other = check(second);
    if (!one.empty() && !other.empty())
        fuzz::expect((one == other) == (first == second),
                     "different texts are different addresses");
    return 0;
}
