// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "http_case.hpp"

// The servers of the recordings, on loopback.

/// Follows the script of one connection over `stream` (a TCP socket or a stream above one): the
/// parts of each step in the order recv, delay, send, close. `request` gets the bytes up to the
/// blank line, or all of them if there was none. TLS ends with a close_notify unless the connection
/// ends with a reset or an error.
template <class Stream>
asio::awaitable<void> follow_script(Stream& stream, const nlohmann::json& script,
                                    const http_case::Ports& ports, std::string& request) {
    std::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    auto& socket = stream.lowest_layer();
    bool resets = false;
    for (const nlohmann::json& step : script) {
        if (step.contains("recv")) {
            std::string read;
            const std::size_t size = co_await asio::async_read_until(
                stream, asio::dynamic_buffer(read), std::string_view{"\r\n\r\n"}, token);
            request = error ? read : read.substr(0, size);
        }
        if (step.contains("delay_ms")) {
            asio::steady_timer timer{stream.get_executor(),
                                     std::chrono::milliseconds{step.at("delay_ms")}};
            co_await timer.async_wait(token);
        }
        if (step.contains("send")) {
            const std::string once = http_case::bytes_of(step.at("send"), ports);
            std::string bytes;
            for (int i = 0, times = step.value("repeat", 1); i != times; ++i) bytes += once;
            co_await asio::async_write(stream, asio::buffer(bytes), token);
            if (error) break; // the client has closed; nothing would wake a second write
        }
        const std::string close = step.value("close", "");
        resets = close == "rst";
        if (resets) socket.set_option(asio::socket_base::linger(true, 0), error);
        if (close == "wait") {
            char ignored[1024];
            while (!error) co_await stream.async_read_some(asio::buffer(ignored), token);
        }
        if (!close.empty()) break;
    }
    if constexpr (requires { stream.async_shutdown(token); })
        if (!error && !resets) co_await stream.async_shutdown(token);
    socket.close(error); // the destructor would not linger
}

/// A recorded server over plain TCP: "script", "none" (its port refuses connections) or
/// "full-backlog" (connecting hangs). To a TCP client a TLS server is a "script" too.
class ScriptServer {
public:
    using tcp = asio::ip::tcp;

    /// `server` must outlive this object.
    ScriptServer(asio::io_context& io, const nlohmann::json& server,
                 const asio::ip::address& address)
        : io_(io), server_(server), acceptor_(io) {
        acceptor_.open(tcp::endpoint{address, 0}.protocol());
        acceptor_.bind({address, 0});
        ports_.server = std::to_string(acceptor_.local_endpoint().port());
        const std::string kind = server.at("kind");
        if (kind == "none") return;
        acceptor_.listen(kind == "full-backlog" ? 0 : tcp::socket::max_listen_connections);
        if (kind == "full-backlog")
            waiting_.emplace(io).connect(acceptor_.local_endpoint());
        else
            accept();
    }

    [[nodiscard]] const http_case::Ports& ports() const { return ports_; }

    void stop() {
        std::error_code ignored;
        acceptor_.close(ignored);
    }

private:
    void accept() {
        acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
            if (error) return;
            const nlohmann::json& scripts = server_.at("conns");
            if (!scripts.is_null() && !scripts.empty()) {
                const nlohmann::json& script =
                    scripts.at(std::min(accepted_++, scripts.size() - 1));
                asio::co_spawn(io_, serve(std::move(socket), script, ports_), asio::detached);
            }
            accept();
        });
    }

    static asio::awaitable<void> serve(tcp::socket socket, const nlohmann::json& script,
                                       http_case::Ports ports) {
        std::string request;
        co_await follow_script(socket, script, ports, request);
    }

    asio::io_context& io_;
    const nlohmann::json& server_;
    tcp::acceptor acceptor_;
    std::optional<tcp::socket> waiting_;
    http_case::Ports ports_;
    std::size_t accepted_ = 0;
};
