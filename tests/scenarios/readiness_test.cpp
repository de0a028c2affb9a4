// The rows of readiness and startup probes.
#include <string>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include <catch2/catch_test_macros.hpp>

#include "supervised.hpp"

using namespace scenarios;

namespace {

void post_form(std::uint16_t port, const std::string& path, const std::string& form) {
    asio::io_context io;
    asio::ip::tcp::socket socket{io};
    socket.connect({asio::ip::address_v4::loopback(), port});
    asio::write(socket,
                asio::buffer("POST " + path + " HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n" +
                             "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
                             std::to_string(form.size()) + "\r\n\r\n" + form));
    std::string answer;
    std::error_code end;
    asio::read(socket, asio::dynamic_buffer(answer), end);
    REQUIRE(answer.starts_with("HTTP/1.1 200"));
}

} // namespace

TEST_CASE("readiness-httpget-fail") {
    Supervised supervised{Example{"readiness-httpget-fail"}.text(), {.scale = "20"}};
    const json completed = supervised.until(terminated);
    CHECK(container(completed)["state"]["terminated"]["reason"] == "Completed");
    supervised.until(running_after(1)); // the first time at once

    const json waits = supervised.until(waiting("CrashLoopBackOff"));
    CHECK(container(waits)["state"]["waiting"]["message"].get<std::string>().starts_with(
        "back-off 10s restarting failed container=short pod=readiness-httpget-fail_default("));
    CHECK(container(waits)["lastState"]["terminated"]["exitCode"] == 0);
    const json third = supervised.until(running_after(2));
    const json fourth = supervised.until(running_after(3));
    const auto after_exit = [](const json& line) {
        return started_at(container(line)) -
               moment(container(line)["lastState"]["terminated"]["finishedAt"]);
    };
    CHECK(after_exit(third) >= 10s);
    CHECK(after_exit(fourth) >= 20s);

    const auto back_offs =
        supervised.all(event("BackOff", "Back-off restarting failed container short in pod "));
    CHECK(back_offs.size() >= 3);
    CHECK(back_offs.back()["object"]["count"] == back_offs.size());
    CHECK(supervised.all(ready(true)).empty());
    CHECK(supervised.stop() == 0); // it was between two runs, and not by request
}

TEST_CASE("readiness-httpget-ok") {
    const Example example{"readiness-httpget-ok"};
    Supervised supervised{example.text(), {.scale = "5"}};
    const json running = supervised.until(running_after(0));
    CHECK(container(running)["ready"] == false);
    CHECK(container(running)["started"] == true);

    // those at 15, 20 and 25 s time out
    const json is_ready = supervised.until(ready(true));
    CHECK(moment(condition(is_ready, "Ready")["lastTransitionTime"]) -
              started_at(container(running)) >=
          30s);
    const std::size_t timeouts =
        supervised.all(event("Unhealthy", "context deadline exceeded")).size();
    CHECK(timeouts >= 3);
    CHECK(timeouts <= 4); // the one at 30 s races the answer to the first

    post_form(example.listening(), "/readyz", "readyz=FAIL");
    supervised.until(ready(false));
    CHECK(supervised
              .all(event("Unhealthy",
                         "Readiness probe failed: HTTP probe failed with statuscode: 507"))
              .size() == 3);

    post_form(example.listening(), "/readyz", "readyz=OK");
    const json again = supervised.until(ready(true));
    CHECK(container(again)["restartCount"] == 0);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("readiness-tcp-fail") {
    Supervised supervised{Example{"readiness-tcp-fail"}.text(), {.scale = "20"}};
    const json first = supervised.until(running_after(0));
    const json second = supervised.until(running_after(1));

    CHECK(started_at(container(second)) - started_at(container(first)) >= 60s);
    const std::size_t attempts =
        supervised.all(event("Unhealthy", "Readiness probe failed: dial tcp")).size();
    CHECK(attempts >= 5); // at 10, 20 ... 60 s; the last races the kill
    CHECK(attempts <= 7);
    CHECK(supervised.all(event("Unhealthy", "Liveness probe failed: dial tcp")).size() == 3);
    CHECK(supervised.all(event("Killing")).size() == 1);
    CHECK(supervised.all(ready(true)).empty());
    CHECK(supervised.stop() == 0);
}

TEST_CASE("readiness-tcp-ok") {
    Supervised supervised{Example{"readiness-tcp-ok"}.text(), {.arguments = {"--duration", "45s"}}};
    const json running = supervised.until(running_after(0));
    const json is_ready = supervised.until(ready(true));
    CHECK(moment(condition(is_ready, "Ready")["lastTransitionTime"]) -
              started_at(container(running)) >=
          5s);
    CHECK(condition(running, "Ready")["status"] == "False");
    CHECK(condition(running, "ContainersReady")["message"] ==
          "containers with unready status: [nginx]");
    CHECK(supervised.finish() == 0);
    CHECK(supervised.all(event("Unhealthy")).empty());
    CHECK(supervised.all(running_after(1)).empty());
}

TEST_CASE("startup-ok") {
    Supervised supervised{Example{"startup-ok"}.text(), {.scale = "5"}};
    const json running = supervised.until(running_after(0));
    CHECK(container(running)["started"] == false);
    const json started = supervised.until(
        [](const json& line) { return is_pod(line) && container(line)["started"] == true; });
    supervised.until(ready(true));

    CHECK(moment(started["object"]["status"]["conditions"][0]["lastTransitionTime"]) <=
          started_at(container(started)));
    CHECK(supervised.all(event("Unhealthy", "Startup probe failed")).size() >= 3);
    CHECK(supervised.all(event("Unhealthy", "Liveness")).empty()); // no other probe has run
    CHECK(supervised.all(event("Unhealthy", "Readiness")).empty());
    CHECK(supervised.stop() == 0);
    CHECK(supervised.all(event("Killing", "failed")).empty());
}

TEST_CASE("startup-fail") {
    Supervised supervised{Example{"startup-fail"}.text(), {.scale = "5"}};
    supervised.until(running_after(1));
    CHECK(supervised.all(event("Unhealthy", "Startup probe failed: ")).size() == 3);
    CHECK(supervised.all(event("Killing", "Container demo failed startup probe, will be restarted"))
              .size() == 1);
    CHECK(supervised.all(event("Unhealthy", "Liveness")).empty());
    CHECK(supervised
              .all([](const json& line) {
                  return is_pod(line) && container(line)["started"] == true;
              })
              .empty());
    CHECK(supervised.stop() == 0);
}
