// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/use_awaitable.hpp>

#include <probekit/tls/https_get_probe.hpp>

#include "../tls/certificates.hpp"
#include "../tools/loopback.hpp"
#include "http_case.hpp"
#include "replay.hpp"
#include "script_server.hpp"

// Replays the recordings that need TLS, over real sockets: tls::HttpsGetProbe probes a server that
// follows the script.
namespace {

using namespace probekit;
using namespace http_case;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;

std::string header_of(const std::string& request, const std::string& name) {
    const std::size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
}

/// The server of one case, and the requests that it has read.
class Server {
public:
    Server(asio::io_context& io, const json& server) : io_(io), kind_(server.at("kind")) {
        const auto lists = [&](const char* name) { return list_at(server, name); };
        scripts_ = lists("conns");
        if (kind_ == "tls-h2")
            scripts_ = {{{{"recv", "headers"}},
                         {{"send", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}},
                         {{"close", "fin"}}}};
        acceptors_.emplace_back(io, tcp::endpoint{asio::ip::make_address("127.0.0.1"), 0});
        acceptors_.emplace_back(io, tcp::endpoint{asio::ip::make_address("127.0.0.1"), 0});
        for (std::size_t i = 0; i != 2; ++i)
            (i == 0 ? ports_.server : ports_.second) =
                std::to_string(acceptors_[i].local_endpoint().port());
        if (kind_ == "full-backlog") ports_.server = std::to_string(full_.emplace(io).port());
        if (is_tls()) {
            const Certificates::Pair pair =
                certificates().make("replay", "DNS:elsewhere.example", -1);
            context_.use_certificate_chain_file(pair.certificate);
            context_.use_private_key_file(pair.key, asio::ssl::context::pem);
        }
        if (!server.value("second_listener", false)) acceptors_[1].close();
        if (kind_ == "none") acceptors_[0].close();
        for (tcp::acceptor& acceptor : acceptors_)
            if (acceptor.is_open()) accept(acceptor);
    }

    [[nodiscard]] const Ports& ports() const { return ports_; }

    [[nodiscard]] std::vector<std::string> requests() const {
        std::vector<std::string> requests;
        for (const std::string& read : requests_) {
            if (read.starts_with('\x16')) {
                requests.emplace_back("{TLS-CLIENT-HELLO}");
            } else if (kind_ == "tls-h2") { // the same request over HTTP/1.1
                const std::size_t line = read.find(" HTTP/1.1\r\n");
                requests.push_back("HTTP/2.0 " + read.substr(0, line) +
                                   " Host=" + header_of(read, "Host") +
                                   " UA=" + header_of(read, "User-Agent") +
                                   " Accept=" + header_of(read, "Accept") + " Connection=");
            } else {
                requests.push_back(read);
            }
        }
        return requests;
    }

    void stop() {
        for (tcp::acceptor& acceptor : acceptors_) {
            std::error_code ignored;
            acceptor.close(ignored);
        }
    }

private:
    static const Certificates& certificates() {
        static const Certificates made;
        return made;
    }

    [[nodiscard]] bool is_tls() const { return kind_.starts_with("tls-"); }

    void accept(tcp::acceptor& acceptor) {
        acceptor.async_accept([this, &acceptor](std::error_code error, tcp::socket socket) {
            if (error) return;
            const std::size_t index = requests_.size();
            requests_.emplace_back();
            if (is_tls())
                asio::co_spawn(io_, serve(TlsStream{std::move(socket), context_}, index),
                               asio::detached);
            else
                asio::co_spawn(io_, serve(std::move(socket), index), asio::detached);
            accept(acceptor);
        });
    }

    template <class Stream>
    asio::awaitable<void> serve(Stream stream, std::size_t index) {
        std::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        if constexpr (std::is_same_v<Stream, TlsStream>)
            co_await stream.async_handshake(asio::ssl::stream_base::server, token);
        if (scripts_.empty()) co_return;
        if (error) co_return;
        co_await follow_script(stream, scripts_.at(std::min(index, scripts_.size() - 1)), ports_,
                               requests_[index]);
    }

    asio::io_context& io_;
    std::string kind_;
    json scripts_;
    asio::ssl::context context_{asio::ssl::context::tls_server};
    std::vector<tcp::acceptor> acceptors_;
    std::optional<tools::FullBacklog> full_;
    Ports ports_;
    std::vector<std::string> requests_; // one per connection
};

} // namespace

std::optional<bool> replay_https_case(const json& recorded, const HttpOptions& options) {
    const json& expected = recorded.at("expect");
    const json& request = recorded.at("request");
    asio::io_context io;
    Server server{io, recorded.at("server")};
    HttpGetAction action = action_of(request, server.ports());
    const std::string scheme = text_at(request, "scheme");
    if (scheme == "HTTPS" || scheme == "https") action.scheme = HttpScheme::https;
    if (!probekit::detail::validate_at(action, {}, true).empty())
        return is_rejected_as_intended(recorded.at("name"), expected);

    // Only a case that is to time out may do so, however slow the machine is.
    const std::string outcomes = expected.dump();
    const bool times_out = outcomes.find("deadline exceeded") != std::string::npos ||
                           outcomes.find("Client.Timeout") != std::string::npos;
    const std::chrono::milliseconds timeout{times_out ? request.at("timeout_ms").get<int>()
                                                      : 60'000};
    Observed observed;
    tls::HttpsGetProbe probe{io, action, {}, options};
    probe.async_probe(timeout, [&](std::error_code error, const ProbeResult& result) {
        observed = observed_of(error, result);
        server.stop();
    });
    io.run();
    observed.requests = server.requests();
    if (agrees_with_case(observed, expected, server.ports())) return true;
    std::cout << "https " << recorded.at("name") << ": " << shown(observed, expected) << '\n';
    return false;
}
