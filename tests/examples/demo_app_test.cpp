// Runs the program itself and talks to it over a socket, as probes do. Waits are shortened by
// PROBEKIT_TIME_SCALE; times are only compared with what must at least have passed.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

namespace {

using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            throw std::system_error{errno, std::system_category(), "pipe2"};
        read = ends[0];
        write = ends[1];
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        ::close(read);
        close_write();
    }
    void close_write() {
        if (write >= 0) ::close(write);
        write = -1;
    }
    /// The next line without its end; what is left at the end of the stream.
    std::string line() const {
        std::string text;
        for (char c = 0; ::read(read, &c, 1) == 1 && c != '\n';) text += c;
        return text;
    }
    int read = -1;
    int write = -1;
};

/// The program with these arguments, and with this environment alone.
class DemoApp {
public:
    DemoApp(std::vector<std::string> arguments, std::vector<std::string> environment) {
        arguments.insert(arguments.begin(), DEMO_APP);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_adddup2(&files, out_.write, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&files, err_.write, STDERR_FILENO);
        const int failed = ::posix_spawn(&pid_, DEMO_APP, &files, nullptr,
                                         pointers(arguments).data(), pointers(environment).data());
        posix_spawn_file_actions_destroy(&files);
        if (failed != 0) throw std::system_error{failed, std::system_category(), DEMO_APP};
        out_.close_write();
        err_.close_write();
    }
    DemoApp(const DemoApp&) = delete;
    DemoApp& operator=(const DemoApp&) = delete;
    ~DemoApp() { end(SIGKILL); }

    /// Status of waitpid.
    int end(int signal) {
        if (pid_ > 0 && signal != 0) ::kill(pid_, signal);
        int status = -1;
        if (pid_ > 0) ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return status;
    }
    std::string log_line() const { return out_.line(); }
    std::string error_line() const { return err_.line(); }

    /// Where it says it listens.
    tcp::endpoint endpoint() const {
        const std::string line = error_line();
        const std::string_view prefix = "listening on 127.0.0.1:";
        if (!line.starts_with(prefix)) throw std::runtime_error{line};
        return {asio::ip::address_v4::loopback(),
                static_cast<std::uint16_t>(std::stoi(line.substr(prefix.size())))};
    }

private:
    static std::vector<char*> pointers(std::vector<std::string>& strings) {
        std::vector<char*> all;
        for (std::string& one : strings) all.push_back(one.data());
        all.push_back(nullptr);
        return all;
    }

    Pipe out_;
    Pipe err_;
    pid_t pid_ = -1;
};

struct Answer {
    int status = 0;
    std::string body;
};

class Client {
public:
    explicit Client(const tcp::endpoint& server) : socket_{io_} { socket_.connect(server); }

    void send(std::string_view bytes) { asio::write(socket_, asio::buffer(bytes)); }

    Answer answer() {
        std::string bytes;
        std::error_code error;
        asio::read(socket_, asio::dynamic_buffer(bytes), error);
        INFO(bytes);
        REQUIRE(error == asio::error::eof);
        REQUIRE(bytes.starts_with("HTTP/1.1 "));
        const std::size_t head = bytes.find("\r\n\r\n");
        REQUIRE(head != std::string::npos);
        Answer answer{std::stoi(bytes.substr(9, 3)), bytes.substr(head + 4)};
        CHECK(bytes.find("Content-Length: " + std::to_string(answer.body.size()) + "\r\n") < head);
        return answer;
    }

    std::uint16_t port() const { return socket_.local_endpoint().port(); }

private:
    asio::io_context io_;
    tcp::socket socket_;
};

std::string get(std::string_view path) {
    return "GET " + std::string{path} +
           " HTTP/1.1\r\nHost: demo\r\nUser-Agent: kube-probe/1.35\r\n\r\n";
}

std::string post(std::string_view path, std::string_view body) {
    return "POST " + std::string{path} +
           " HTTP/1.1\r\nHost: demo\r\ncontent-length:  " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string{body};
}

Answer request(const tcp::endpoint& server, std::string_view request) {
    Client client{server};
    client.send(request);
    return client.answer();
}

std::string repeated(char c, std::size_t count) { return std::string(count, c); }

TEST_CASE("the pages answer with what is requested") {
    const DemoApp app{{"-h", "127.0.0.1", "-p", "0"}, {"DEPLOYENV=test", "RELEASE=1.2.3"}};
    const tcp::endpoint server = app.endpoint();

    Client client{server};
    client.send(get("/"));
    const Answer greeting = client.answer();
    CHECK(greeting.status == 200);
    CHECK(greeting.body == "Hello 127.0.0.1:" + std::to_string(client.port()) +
                               ", this is 127.0.0.1:" + std::to_string(server.port()) + "\n");

    std::array<char, 256> hostname{};
    REQUIRE(::gethostname(hostname.data(), hostname.size() - 1) == 0);
    CHECK(request(server, get("/hostname")).body == std::string{hostname.data()} + "\n");
    CHECK(request(server, get("/user-agent")).body == "kube-probe/1.35\n");
    CHECK(request(server, get("/configs?all=1")).body == "DEPLOYENV=test\nRELEASE=1.2.3\n");
    CHECK(request(server, get("/index.html")).status == 404);
    CHECK(request(server, post("/hostname", "")).status == 405);
    CHECK(request(server, "DELETE /livez HTTP/1.1\r\n\r\n").status == 405);
}

TEST_CASE("health endpoints can be made to fail and to recover") {
    const auto [path, field, status_when_failing] = GENERATE(table<std::string, std::string, int>(
        {{"/livez", "livez", 506}, {"/readyz", "readyz", 507}}));
    const DemoApp app{{"-p", "0"}, {"HOST=127.0.0.1", "PROBEKIT_TIME_SCALE=1000"}};
    const tcp::endpoint server = app.endpoint();

    CHECK(request(server, get(path)).status == 200);
    CHECK(request(server, post(path, "other=1&" + field + "=FAIL")).status == 200);
    CHECK(request(server, get(path)).status == status_when_failing);
    CHECK(request(server, get(path == "/livez" ? "/readyz" : "/livez")).status == 200);
    CHECK(request(server, post(path, field + "=maybe")).status == 400);
    CHECK(request(server, post(path, "FAIL")).status == 400);
    CHECK(request(server, get(path)).status == status_when_failing);
    CHECK(request(server, post(path, field + "=OK")).status == 200);
    CHECK(request(server, get(path)).status == 200);
}

TEST_CASE("every request to a health endpoint that comes before the first response waits") {
    const auto [path, wait] = GENERATE(
        table<std::string, std::chrono::milliseconds>({{"/livez", 50ms}, {"/readyz", 150ms}}));
    const DemoApp app{{}, {"HOST=127.0.0.1", "PORT=0", "PROBEKIT_TIME_SCALE=100"}};
    const tcp::endpoint server = app.endpoint();

    const Clock::time_point begin = Clock::now();
    Client first{server};
    Client second{server};
    first.send(get(path));
    second.send(get(path));
    CHECK(first.answer().status == 200);
    CHECK(second.answer().status == 200);
    CHECK(Clock::now() - begin >= wait);
}

TEST_CASE("an access-log line a request, none for a connection without one") {
    const DemoApp app{{"-h", "127.0.0.1", "-p", "0"}, {}};
    const tcp::endpoint server = app.endpoint();

    { const Client opens_and_closes{server}; }
    Client client{server};
    client.send(get("/hostname"));
    client.answer();
    const std::string line = app.log_line();
    INFO(line);
    CHECK(line.ends_with(" 127.0.0.1:" + std::to_string(client.port()) + " \"GET /hostname\" 200"));
    request(server, "nonsense\r\n\r\n");
    CHECK(app.log_line().ends_with(" \"-\" 400"));
}

TEST_CASE("what is too much, or no request, is refused, and the next request is served") {
    const auto [sent, status] = GENERATE(table<std::string, int>({
        {"GET / HTTP/1.1\r\nX: " + repeated('x', 20000) + "\r\n\r\n", 431},
        {repeated('x', 20000), 431},
        {post("/livez", repeated('x', 5000)), 413},
        {"POST /livez HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n\r\n", 400},
        {"GET http://h/ HTTP/1.1\r\n\r\n", 400},
        {"GET /\x1b[2J HTTP/1.1\r\n\r\n", 400},
        {"GET / SPDY/9\r\n\r\n", 400},
        {"\r\n\r\n", 400},
    }));
    INFO(sent.substr(0, 60));
    const DemoApp app{{"-h", "127.0.0.1", "-p", "0"}, {}};
    const tcp::endpoint server = app.endpoint();

    CHECK(request(server, sent).status == status);
    CHECK(request(server, get("/hostname")).status == 200);
}

TEST_CASE("a body that comes in pieces is read whole") {
    const DemoApp app{{"-h", "127.0.0.1", "-p", "0"}, {"PROBEKIT_TIME_SCALE=1000"}};
    const tcp::endpoint server = app.endpoint();

    Client client{server};
    client.send("POST /livez HTTP/1.1\r\nContent-Length: 10\r\n\r\nlivez");
    CHECK(request(server, get("/hostname")).status == 200); // others are served meanwhile
    client.send("=FAIL");
    CHECK(client.answer().status == 200);
    CHECK(request(server, get("/livez")).status == 506);
}

TEST_CASE("wrong usage is said, and nothing is served") {
    const auto [arguments, environment] =
        GENERATE(table<std::vector<std::string>, std::vector<std::string>>({
            {{"-x"}, {}},
            {{"-p"}, {}},
            {{"extra"}, {}},
            {{"-p", "0"}, {"PROBEKIT_TIME_SCALE=0"}},
            {{"-p", "0"}, {"PROBEKIT_TIME_SCALE=fast"}},
        }));
    DemoApp app{arguments, environment};
    const int status = app.end(0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 2);
}

TEST_CASE("an address that cannot be had ends it with 1") {
    DemoApp app{{"-h", "192.0.2.1", "-p", "0"}, {}};
    const int status = app.end(0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("SIGTERM is left to the system") {
    DemoApp app{{"-h", "127.0.0.1", "-p", "0"}, {}};
    app.endpoint();
    const int status = app.end(SIGTERM);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGTERM);
}

} // namespace
