// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// TCP and HTTP probes of servers on Unix-domain sockets.
#include <probekit/probes/detail/unix_address.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probes/any_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

#include "../process/process_tools.hpp"
#include "probe_once.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using Local = asio::local::stream_protocol;

namespace {

using tests::TemporaryFolder;

/// As a probe takes it, and as the system takes it.
struct Place {
    TemporaryFolder folder;
    std::string path = (folder.path() / "socket").string();
    std::string abstract = "@" + path;

    static Local::endpoint endpoint(std::string socket) {
        if (socket[0] == '@') socket[0] = '\0';
        return {socket};
    }
};

/// Answers each request with the same bytes, and closes. Without an answer it keeps the
/// connection. "reset": it resets it, which a Unix-domain socket does when it is closed with
/// something unread.
class LocalServer {
public:
    LocalServer(asio::io_context& io, const std::string& socket, std::string answer = {})
        : acceptor_(io, Place::endpoint(socket)), answer_(std::move(answer)) {
        accept();
    }

    int connections = 0;
    std::string request = {};

private:
    struct Session {
        explicit Session(Local::socket from) : socket(std::move(from)) {}
        Local::socket socket;
        char bytes[4096] = {};
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code error, Local::socket socket) {
            if (error) return;
            ++connections;
            const auto session = std::make_shared<Session>(std::move(socket));
            // A reset needs a byte that is not read.
            const std::size_t most = answer_ == "reset" ? 1 : sizeof session->bytes;
            session->socket.async_read_some(
                asio::buffer(session->bytes, most),
                [this, session](std::error_code failed, std::size_t size) {
                    if (failed || answer_ == "reset") return;
                    if (answer_.empty()) kept_ = session;
                    request.assign(session->bytes, size);
                    std::error_code ignored;
                    asio::write(session->socket, asio::buffer(answer_), ignored);
                });
            accept();
        });
    }

    Local::acceptor acceptor_;
    std::string answer_;
    std::shared_ptr<Session> kept_;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

} // namespace

TEST_CASE("a server on a Unix-domain socket is probed by path or abstract name") {
    const Place place;
    const std::string socket = GENERATE(false, true) ? place.abstract : place.path;
    asio::io_context io;
    LocalServer server{io, socket, ok};
    TcpProbe tcp{io, {}, {.unix_socket = socket}};
    CHECK(probe_once(io, tcp).result.outcome == Outcome::success);
    HttpGetProbe http{io, {.path = "/healthz"}, {.keep_output = true, .unix_socket = socket}};
    const auto [error, result] = probe_once(io, http);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::success);
    CHECK(result.output == "ok");
    CHECK(server.request.starts_with("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
    io.poll();
    CHECK(server.connections == 2);
}

TEST_CASE("host and port are what the request says, and no name is resolved") {
    const Place place;
    asio::io_context io;
    LocalServer server{io, place.path, ok};
    const auto host_for = [&](const HttpGetAction& action) {
        HttpGetProbe probe{io, action, {.unix_socket = place.path}};
        CHECK(probe_once(io, probe).result.outcome == Outcome::success);
        const std::size_t begin = server.request.find("Host: ") + 6;
        return server.request.substr(begin, server.request.find("\r\n", begin) - begin);
    };
    CHECK(host_for({.host = "nonexistent.invalid", .port = 8080}) == "nonexistent.invalid:8080");
    CHECK(host_for({.host = "nonexistent.invalid"}) == "nonexistent.invalid");
    CHECK(host_for({.host = "::1"}) == "[::1]");
    CHECK(host_for({.port = 80, .headers = {{"Host", "app"}}}) == "app");
}

TEST_CASE("redirects within the host lead to the same socket") {
    const Place place;
    asio::io_context io;
    LocalServer server{io, place.path,
                       "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:81/x\r\n\r\n"};
    HttpGetProbe probe{io, {}, {.max_requests = 3, .unix_socket = place.path}};
    CHECK(probe_once(io, probe).result.cause == Errc::too_many_redirects);
    CHECK(server.connections == 3);
}

TEST_CASE("a Unix-domain socket without a listener fails in Go's words") {
    const Place place;
    const std::string socket = GENERATE(false, true) ? place.abstract : place.path;
    const bool was_there = GENERATE(false, true);
    asio::io_context io;
    if (was_there) LocalServer{io, socket}; // leaves its file
    const bool is_gone = socket == place.path && !was_there;
    const std::string text = "dial unix " + socket + ": connect: " +
                             (is_gone ? "no such file or directory" : "connection refused");
    TcpProbe tcp{io, {}, {.unix_socket = socket}};
    const auto [error, result] = probe_once(io, tcp);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == Phase::connect);
    CHECK(result.cause ==
          (is_gone ? std::errc::no_such_file_or_directory : std::errc::connection_refused));
    CHECK(result.message() == text);
    HttpGetProbe http{io, {.port = 80, .path = "/x"}, {.unix_socket = socket}};
    const Completion answer = probe_once(io, http);
    CHECK_FALSE(answer.error);
    CHECK(answer.result.outcome == Outcome::failure);
    CHECK(answer.result.message() == "Get \"http://127.0.0.1:80/x\": " + text);
}

TEST_CASE("a Unix-domain socket whose queue is full refuses, which is the target's fault") {
    const Place place;
    asio::io_context io;
    Local::acceptor acceptor{io};
    acceptor.open();
    acceptor.bind(Place::endpoint(place.path));
    acceptor.listen(0);
    std::vector<Local::socket> waiting;
    const Local::endpoint to = acceptor.local_endpoint();
    do { // not by Asio: some versions take a full queue for success
        waiting.emplace_back(io).open();
        waiting.back().non_blocking(true);
    } while (::connect(waiting.back().native_handle(), to.data(),
                       static_cast<socklen_t>(to.size())) == 0);
    CHECK(errno == EAGAIN);
    TcpProbe probe{io, {}, {.unix_socket = place.path}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.cause == std::errc::connection_refused);
    CHECK(result.message() == "dial unix " + place.path + ": connect: connection refused");
}

TEST_CASE("a file that is no Unix-domain socket fails") {
    const Place place;
    asio::io_context io;
    const std::string file = place.folder.file("file", "no socket", 0644);
    TcpProbe probe{io, {}, {.unix_socket = file}};
    const ProbeResult result = probe_once(io, probe).result;
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.cause == std::errc::connection_refused);
    TcpProbe below{io, {}, {.unix_socket = file + "/socket"}};
    CHECK(probe_once(io, below).result.message() ==
          "dial unix " + file + "/socket: connect: not a directory");
}

TEST_CASE("silence and resets on a Unix-domain socket are reported as on any other") {
    const Place place;
    asio::io_context io;
    SECTION("silence") {
        const LocalServer server{io, place.path};
        HttpGetProbe probe{io, {.port = 80}, {.unix_socket = place.path}};
        CHECK(probe_once(io, probe, 50ms).result.message() ==
              "Get \"http://127.0.0.1:80/\": context deadline exceeded (Client.Timeout exceeded "
              "while awaiting headers)");
    }
    SECTION("a reset") {
        const LocalServer server{io, place.path, "reset"};
        HttpGetProbe probe{io, {.port = 80}, {.unix_socket = place.path}};
        const ProbeResult result = probe_once(io, probe).result;
        CHECK(result.cause == std::errc::connection_reset);
        CHECK(result.message() == "Get \"http://127.0.0.1:80/\": read unix @->" + place.path +
                                      ": read: connection reset by peer");
    }
}

TEST_CASE("an attempt on a Unix-domain socket leaves no descriptor behind") {
    const Place place;
    asio::io_context io;
    LocalServer server{io, place.path, ok};
    const auto open_descriptors = [] {
        return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
    };
    const auto before = open_descriptors();
    AnyProbe tcp =
        make_probe(io.get_executor(), TcpSocketAction{}, {.tcp = {.unix_socket = place.path}});
    AnyProbe http =
        make_probe(io.get_executor(), HttpGetAction{}, {.http = {.unix_socket = place.path}});
    for (int i = 0; i != 10; ++i) {
        CHECK(probe_once(io, tcp).result.passed());
        CHECK(probe_once(io, http).result.passed());
    }
    while (server.connections != 20) io.run_one_for(20s);
    io.poll();
    CHECK(open_descriptors() == before);
}

TEST_CASE("each invalid setting of a Unix-domain socket is named") {
    asio::io_context io;
    const auto errors_of = [&](const TcpOptions& options, std::uint16_t port = 0) {
        try {
            const TcpProbe probe{io, {.port = port}, options};
        } catch (const ConfigException& exception) { return exception.errors(); }
        return ConfigErrors{};
    };
    CHECK(errors_of({.unix_socket = std::string(107, 'p')}).empty());
    CHECK(errors_of({.unix_socket = std::string(108, 'p')}) ==
          ConfigErrors{{"unix_socket", "must not be longer than 107 bytes"}});
    CHECK(errors_of({.unix_socket = "@" + std::string(107, 'n')}).empty());
    CHECK(errors_of({.unix_socket = "@" + std::string(108, 'n')}) ==
          ConfigErrors{{"unix_socket", "must not be longer than 108 bytes"}});
    CHECK(errors_of({.unix_socket = "@"}) ==
          ConfigErrors{{"unix_socket", "must have a name after the @"}});
    CHECK(errors_of({.unix_socket = std::string{"a\0b", 3}}) ==
          ConfigErrors{{"unix_socket", "must not contain NUL"}});
    CHECK(errors_of({.source_address = "127.0.0.1", .unix_socket = "/x"}) ==
          ConfigErrors{{"unix_socket", "cannot be combined with source_address"}});
    CHECK(errors_of({}) == ConfigErrors{{"port", "must be between 1 and 65535"}});
    try {
        const HttpGetProbe probe{
            io, {}, {.source_address = "127.0.0.1", .unix_socket = std::string(200, 'p')}};
        FAIL("accepted");
    } catch (const ConfigException& exception) {
        CHECK(exception.errors() ==
              ConfigErrors{{"unix_socket", "must not be longer than 107 bytes"},
                           {"unix_socket", "cannot be combined with source_address"}});
    }
}

TEST_CASE("the longest path and the longest abstract name reach their servers") {
    const Place place;
    asio::io_context io;
    const std::string path = place.path + std::string(107 - place.path.size(), 'p');
    const std::string name = place.abstract + std::string(108 - place.abstract.size(), 'n');
    for (const std::string& socket : {path, name}) {
        // Asio's endpoints are a byte shorter.
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        socket.copy(address.sun_path, sizeof address.sun_path);
        if (socket == name) address.sun_path[0] = '\0';
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(fd, 1) == 0);
        TcpProbe probe{io, {}, {.unix_socket = socket}};
        CHECK(probe_once(io, probe).result.outcome == Outcome::success);
        CHECK(detail::UnixAddress{socket}.text() == socket);
        ::close(fd);
    }
}
