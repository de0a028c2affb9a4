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

/// Where a Unix-domain socket is: a path, or "@name" for one in Linux' abstract namespace.
class UnixAddress {
public:
    /// check_unix_socket() has nothing against `socket`.
    explicit UnixAddress(std::string_view socket) noexcept : length_(socket.size()) {
        address_.sun_family = AF_UNIX;
        socket.copy(address_.sun_path, sizeof address_.sun_path);
        if (is_abstract_socket(socket)) address_.sun_path[0] = '\0';
    }

    [[nodiscard]] const sockaddr* data() const noexcept {
        return reinterpret_cast<const sockaddr*>(&address_);
    }
    [[nodiscard]] socklen_t size() const noexcept {
        // An abstract name is as long as that says, a path ends with a NUL.
        return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length_ +
                                      (is_abstract() ? 0 : 1));
    }

    /// As it was given.
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
