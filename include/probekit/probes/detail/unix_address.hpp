// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The address of a Unix-domain socket: a path, or "@name" in the abstract namespace of Linux.
class UnixAddress {
public:
    /// `socket`: valid by validate_unix_socket(), not empty.
    explicit UnixAddress(std::string_view socket) noexcept : length_(socket.size()) {
        PROBEKIT_ASSERT(!socket.empty() && socket.size() <= sizeof address_.sun_path);
        address_.sun_family = AF_UNIX;
        socket.copy(address_.sun_path, sizeof address_.sun_path);
        if (is_abstract_socket(socket)) address_.sun_path[0] = '\0';
    }

    [[nodiscard]] const sockaddr* data() const noexcept {
        return reinterpret_cast<const sockaddr*>(&address_);
    }
    [[nodiscard]] socklen_t size() const noexcept {
        // A path ends with a NUL, an abstract name does not.
        return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length_ +
                                      (is_abstract() ? 0 : 1));
    }

    /// The text it was made of.
    [[nodiscard]] std::string text() const {
        std::string text{address_.sun_path, length_};
        if (is_abstract()) text[0] = '@';
        return text;
    }

private:
    static_assert(sizeof(sockaddr_un::sun_path) == longest_unix_socket);

    [[nodiscard]] bool is_abstract() const noexcept { return address_.sun_path[0] == '\0'; }

    std::size_t length_;
    sockaddr_un address_ = {};
};

} // namespace probekit::inline PROBEKIT_ABI::detail
