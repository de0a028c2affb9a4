// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// Every kind of attempt is ended at each of its steps in turn, in each of the possible ways:
// nothing of it may be left, and its handler may not be called twice.
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probes/any_probe.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/function_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

#include "../process/process_tools.hpp"

namespace {

using namespace probekit;
using namespace probekit::tests;
using namespace std::chrono_literals;

/// A server on a thread of its own, so that all steps of the test's loop are the attempt's. First a
/// redirect, then a response in two parts.
class Server {
public:
    Server()
        : acceptor_(io_, {asio::ip::address_v4::loopback(), 0}), thread_([this] { serve(); }) {}
    ~Server() {
        io_.stop();
        thread_.join();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    void serve() {
        accept();
        io_.run();
    }
    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            auto connection = std::make_shared<Connection>(Connection{std::move(socket), {}});
            asio::async_read_until(
                connection->socket, asio::dynamic_buffer(connection->request), "\r\n\r\n",
                [connection](std::error_code failed, std::size_t) {
                    if (failed) return;
                    std::error_code ignored;
                    const bool first = connection->request.starts_with("GET /first ");
                    asio::write(
                        connection->socket,
                        asio::buffer(
                            first ? std::string{"HTTP/1.1 302 Found\r\nLocation: /then\r\n\r\n"}
                                  : std::string{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nin"}),
                        ignored);
                    if (!first)
                        asio::write(connection->socket, asio::buffer(std::string{" 2"}), ignored);
                });
            accept();
        });
    }

    struct Connection {
        asio::ip::tcp::socket socket;
        std::string request;
    };

    asio::io_context io_;
    asio::ip::tcp::acceptor acceptor_;
    std::thread thread_;
};

/// Leaves out the server's ends of connections, which it opens and closes in its own time.
std::size_t open_descriptors(std::uint16_t server_port) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        sockaddr_in own{};
        socklen_t size = sizeof own;
        const int failed = ::getsockname(std::stoi(entry.path().filename()),
                                         reinterpret_cast<sockaddr*>(&own), &size);
        if (failed && errno == EBADF) continue; // the server has closed it since it was listed
        if (own.sin_family != AF_INET || ntohs(own.sin_port) != server_port) ++count;
    }
    return count;
}

enum class End {
    cancel,             // through the handler's slot
    cancel_from_a_post, // on the handler's executor, as every cancellation has to be
    destroy_probe,      // which an attempt does not need
    destroy_context,
};
enum class Completes { by_callback, by_coroutine };

/// The end of an attempt. Shared with its handler, so that a handler that is never freed shows.
struct Ending {
    int completed = 0;
    std::error_code error;
    ProbeResult result;
};

/// The probe has to pass. Its loop is stopped after 0, 1, 2 ... handlers.
template <class MakeProbe>
void end_at_each_step(MakeProbe make_probe, std::uint16_t server_port = 0) {
    constexpr Duration timeout = 20s;
    const End how =
        GENERATE(End::cancel, End::cancel_from_a_post, End::destroy_probe, End::destroy_context);
    const Completes token = GENERATE(Completes::by_callback, Completes::by_coroutine);
    const bool on_strand = GENERATE(false, true);
    const std::size_t before = open_descriptors(server_port);
    bool was_running = true;
    for (int step = 0; was_running && step != 1000; ++step) {
        INFO("step " << step << ", end " << static_cast<int>(how) << ", token "
                     << static_cast<int>(token) << ", on a strand " << on_strand);
        const auto ending = std::make_shared<Ending>();
        {
            asio::cancellation_signal cancel; // may be destroyed before the context or after
            auto io = std::make_unique<asio::io_context>(1);
            asio::any_io_executor executor = io->get_executor();
            if (on_strand) executor = asio::make_strand(*io);
            auto probe = std::make_unique<decltype(make_probe(executor))>(make_probe(executor));
            const auto handler = [ending](std::error_code error, ProbeResult result) {
                ++ending->completed;
                ending->error = error;
                ending->result = std::move(result);
            };
            if (token == Completes::by_callback) {
                probe->async_probe(timeout, asio::bind_cancellation_slot(cancel.slot(), handler));
            } else {
                auto attempt = [](auto& asked, Duration limit) -> asio::awaitable<ProbeResult> {
                    co_return co_await asked.async_probe(limit, asio::use_awaitable);
                };
                const auto on_done = [handler](const std::exception_ptr& thrown,
                                               ProbeResult result) {
                    std::error_code error;
                    try {
                        if (thrown) std::rethrow_exception(thrown);
                    } catch (const std::system_error& why) { error = why.code(); }
                    handler(error, std::move(result));
                };
                asio::co_spawn(executor, attempt(*probe, timeout),
                               asio::bind_cancellation_slot(cancel.slot(), on_done));
            }
            for (int i = 0; i != step && ending->completed == 0; ++i) io->run_one_for(20s);
            was_running = ending->completed == 0;
            switch (how) {
            case End::cancel: cancel.emit(asio::cancellation_type::terminal); break;
            case End::cancel_from_a_post:
                asio::post(executor, [&] { cancel.emit(asio::cancellation_type::total); });
                break;
            case End::destroy_probe:
                if (token == Completes::by_callback)
                    probe.reset(); // the coroutine may not have started the attempt yet
                break;
            case End::destroy_context:
                probe.reset();
                executor = {};
                io.reset();
                break;
            }
            if (io) {
                io->run_for(20s);
                CHECK(ending->completed == 1);
            } else {
                CHECK(ending->completed == (was_running ? 0 : 1));
            }
            if (ending->completed == 1 && ending->error) {
                CHECK((how == End::cancel || how == End::cancel_from_a_post));
                CHECK(ending->error == asio::error::operation_aborted);
            } else if (ending->completed == 1) {
                CHECK(ending->result.message().empty());
                CHECK(ending->result.passed());
            }
            CHECK(has_no_children());
            probe.reset();
            executor = {};
            io.reset();
            if (how == End::destroy_context)
                cancel.emit(asio::cancellation_type::terminal); // without effect
        }
        CHECK(ending.use_count() == 1);
        CHECK(open_descriptors(server_port) == before);
    }
    CHECK_FALSE(was_running);
}

} // namespace

TEST_CASE("a TCP attempt may be ended at each of its steps") {
    const Server server;
    const std::string host = GENERATE("127.0.0.1", "localhost");
    end_at_each_step(
        [&](const auto& executor) {
            return TcpProbe{executor, {.host = host, .port = server.port()}};
        },
        server.port());
}

TEST_CASE("an HTTP attempt may be ended at each of its steps") {
    const Server server;
    end_at_each_step(
        [&](const auto& executor) {
            return HttpGetProbe{executor, {.port = server.port(), .path = "/first"}};
        },
        server.port());
}

TEST_CASE("an exec attempt may be ended at each of its steps") {
    end_at_each_step([](const auto& executor) {
        return ExecProbe{executor,
                         {.command = {"/bin/sh", "-c", "echo one; echo two >&2; sleep 0.02"}}};
    });
}

TEST_CASE("an attempt of a function may be ended at each of its steps") {
    SECTION("plain") {
        end_at_each_step([](const auto& executor) {
            return FunctionProbe{executor, [] { return true; }};
        });
    }
    SECTION("coroutine") {
        end_at_each_step([](const auto& executor) {
            return FunctionProbe{
                executor, [kept = std::make_shared<int>()]() -> asio::awaitable<bool> {
                    for (int i = 0; i != 3; ++i) {
                        asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
                        co_await timer.async_wait(asio::use_awaitable);
                    }
                    co_return kept != nullptr;
                }};
        });
    }
}

TEST_CASE("an attempt through AnyProbe may be ended at each of its steps") {
    const Server server;
    SECTION("HTTP") {
        end_at_each_step(
            [&](const auto& executor) {
                return AnyProbe{HttpGetProbe{executor, {.port = server.port(), .path = "/first"}}};
            },
            server.port());
    }
    SECTION("coroutine") {
        end_at_each_step([](const auto& executor) {
            return AnyProbe{
                FunctionProbe{executor, []() -> asio::awaitable<bool> {
                                  asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
                                  co_await timer.async_wait(asio::use_awaitable);
                                  co_return true;
                              }}};
        });
    }
}
