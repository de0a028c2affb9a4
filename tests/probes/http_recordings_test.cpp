// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probes/http_get_probe.hpp>

#include "../tools/loopback.hpp"
#include "../vectors/http_case.hpp"
#include "../vectors/script_server.hpp"

// Replays the recordings of the kubelet's HTTP prober over real sockets: a server follows the
// script, HttpGetProbe probes it. Many run at once, so that the whole takes as long as the longest.
namespace {

using namespace probekit;
using namespace http_case;
using namespace std::chrono_literals;
using asio::ip::tcp;

tcp::acceptor listen_on(asio::io_context& io, const std::string& address) {
    return tcp::acceptor{io, tcp::endpoint{asio::ip::make_address(address), 0}};
}

std::string port_text(const tcp::acceptor& acceptor) {
    return std::to_string(acceptor.local_endpoint().port());
}

/// One case: its server, its probe, its result.
class Replay : public std::enable_shared_from_this<Replay> {
public:
    Replay(asio::io_context& io, const json& recorded) : io_(io), recorded_(recorded) {
        const json& request = recorded.at("request");
        const std::string host = request.at("host").get<std::string>().empty()
                                     ? request.at("pod_ip")
                                     : request.at("host");
        std::error_code no_literal;
        static_cast<void>(asio::ip::make_address(host, no_literal));
        acceptors_.push_back(listen_on(io, no_literal ? "127.0.0.1" : host));
        acceptors_.push_back(listen_on(io, "127.0.0.1"));
        ports_ = {port_text(acceptors_[0]), port_text(acceptors_[1]), {}};
        if (recorded.at("server").at("kind") == "full-backlog")
            ports_.server = std::to_string(full_.emplace(io).port());
    }

    void start() {
        const json& server = recorded_.at("server");
        const HttpGetAction action = action_of(recorded_.at("request"), ports_);
        if (!detail::validate_at(action, {}, true).empty()) {
            acceptors_.clear();
            return;
        }
        if (server.at("kind") == "none") {
            acceptors_.clear();
        } else if (server.at("kind") != "full-backlog") {
            for (tcp::acceptor& acceptor : acceptors_) accept(acceptor);
        }
        // An attempt that does not end by its timeout must not, however slow the machine.
        const auto timeout =
            times_out() ? std::chrono::milliseconds{recorded_.at("request").at("timeout_ms")}
                        : 60'000ms;
        HttpGetProbe probe{
            io_, action, {.keep_output = true, .user_agent = "kube-probe/1.35", .any_host = true}};
        probe.async_probe(
            timeout, [self = shared_from_this()](std::error_code error, const ProbeResult& result) {
                self->answered(error, result);
            });
    }

    [[nodiscard]] std::string name() const { return recorded_.at("name"); }

    [[nodiscard]] bool times_out() const {
        return recorded_.at("expect").dump().find("deadline exceeded") != std::string::npos;
    }

    /// What is wrong, once nothing is left to run; empty if all is well.
    [[nodiscard]] std::string problem() {
        const json& expected = recorded_.at("expect");
        if (!observed_) return is_rejected_as_intended(name(), expected) ? "" : "refused";
        for (const auto& connection : connections_)
            observed_->requests.push_back(connection->request);
        return agrees_with_case(*observed_, expected, ports_) ? "" : shown(*observed_, expected);
    }

private:
    struct Connection {
        explicit Connection(tcp::socket accepted) : socket(std::move(accepted)) {}
        tcp::socket socket;
        std::string request;
    };

    void accept(tcp::acceptor& acceptor) {
        acceptor.async_accept([self = shared_from_this(), &acceptor](std::error_code error,
                                                                     tcp::socket socket) {
            if (error) return;
            self->connections_.push_back(std::make_shared<Connection>(std::move(socket)));
            asio::co_spawn(self->io_,
                           follow(self, self->connections_.back(), self->connections_.size() - 1),
                           asio::detached);
            self->accept(acceptor);
        });
    }

    static asio::awaitable<void> follow(std::shared_ptr<Replay> self,
                                        std::shared_ptr<Connection> connection, std::size_t index) {
        const json& scripts = self->recorded_.at("server").at("conns");
        const json& script = scripts.at(std::min(index, scripts.size() - 1));
        std::string request;
        co_await follow_script(connection->socket, script, self->ports_, request);
        const bool understands = self->recorded_.at("server").at("kind") == "script";
        if (understands) connection->request = std::move(request);
    }

    void answered(std::error_code error, const ProbeResult& result) {
        std::error_code ignored;
        for (tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
        observed_ = observed_of(error, result);
    }

    asio::io_context& io_;
    const json& recorded_;
    std::vector<tcp::acceptor> acceptors_;
    std::optional<tools::FullBacklog> full_;
    Ports ports_;
    std::optional<Observed> observed_; // empty: the settings were rejected
    std::vector<std::shared_ptr<Connection>> connections_;
};

} // namespace

TEST_CASE("HttpGetProbe does over sockets what the kubelet was recorded doing") {
    std::ifstream file{PROBEKIT_TEST_DATA "/http_cases.json"};
    REQUIRE(file);
    const json document = json::parse(file);
    asio::io_context io{1};
    std::vector<std::shared_ptr<Replay>> replays;
    for (const json& recorded : document.at("cases")) {
        if (recorded.at("request").at("scheme") == "HTTPS") continue; // left to the tls room
        if (recorded.at("name") == "redir-no-port") continue; // would probe port 80 of this machine
        replays.push_back(std::make_shared<Replay>(io, recorded));
    }
    // Cases that depend on time have the machine for themselves.
    for (const bool times_out : {false, true}) {
        for (const auto& replay : replays)
            if (replay->times_out() == times_out) replay->start();
        io.restart();
        io.run();
    }
    for (const auto& replay : replays) {
        INFO(replay->name());
        CHECK(replay->problem() == "");
    }
    CHECK(replays.size() > 150);
}
