#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <nlohmann/json.hpp>

#include <probekit/kubernetes/probe_json.hpp>

// Probes of public manifests, with the ports of their containers: each is read or is refused for a
// stated reason, and what is read is written so that it is read again the same.
namespace {

using namespace probekit;
using Json = nlohmann::json;

struct WildProbe {
    std::string repository = {};
    Json probe = {};
    kubernetes::ReadOptions options = {};
};

ProbeKind kind_named(const std::string& name) {
    if (name == "startupProbe") return ProbeKind::startup;
    return name == "livenessProbe" ? ProbeKind::liveness : ProbeKind::readiness;
}

std::vector<WildProbe> wild_probes() {
    std::ifstream file{PROBEKIT_TEST_DATA "/wild_probes.jsonl"};
    std::vector<WildProbe> all;
    for (std::string line; std::getline(file, line);) {
        const Json json = Json::parse(line);
        WildProbe one{.repository = json.at("repo"), .probe = json.at("probe")};
        one.options = {.kind = kind_named(json.at("kind")), .field = "probe", .strict = true};
        for (const Json& port : json.at("ports"))
            if (port.contains("name"))
                one.options.ports.emplace(port["name"], port.at("containerPort"));
        all.push_back(std::move(one));
    }
    REQUIRE(all.size() == 732);
    return all;
}

using Reasons = std::vector<std::string>;

Reasons messages(const ConfigErrors& errors) {
    Reasons all;
    for (const ConfigError& error : errors) all.push_back(error.message());
    return all;
}

/// What is wrong with one, and how many of a repository have just that.
using Refusals = std::map<std::pair<std::string, Reasons>, int>;

} // namespace

TEST_CASE("each probe of public manifests is read, or refused for what is wrong with it") {
    Refusals refused;
    for (const WildProbe& wild : wild_probes())
        if (const auto read = kubernetes::read_probe(wild.probe, wild.options); !read)
            ++refused[{wild.repository, messages(read.errors)}];

    const Reasons no_handler{"probe: Required value: must specify a handler type"};
    const Reasons every_handler{
        "probe.httpGet: Forbidden: may not specify more than 1 handler type",
        "probe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        "probe.grpc: Forbidden: may not specify more than 1 handler type",
        "probe.successThreshold: Invalid value: 5: must be 1"};
    const auto no_port = [](const std::string& field, const std::string& name) {
        return Reasons{"probe." + field + ".port: Invalid value: \"" + name + "\": port \"" + name +
                       "\" not found"};
    };
    CHECK(refused == Refusals{{{"GoogleCloudPlatform/microservices-demo", no_handler}, 1},
                              {{"kubernetes/ingress-nginx", no_handler}, 2},
                              {{"openshift/microshift", every_handler}, 2},
                              {{"istio/istio", no_port("tcpSocket", "tcp-health-port")}, 2},
                              {{"kubeflow/manifests", no_port("httpGet", "http")}, 1}});
}

TEST_CASE("port names that no container declares are all that the API server takes beyond that") {
    int taken = 0;
    for (WildProbe wild : wild_probes()) {
        if (kubernetes::read_probe(wild.probe, wild.options)) continue;
        wild.options.allow_undeclared_port = true;
        const auto read = kubernetes::read_probe(wild.probe, wild.options);
        CHECK(static_cast<bool>(read) == read.undeclared_port.has_value());
        if (read) ++taken;
    }
    CHECK(taken == 3);
}

TEST_CASE("each probe of public manifests is written and read again the same") {
    int same = 0;
    for (const WildProbe& wild : wild_probes()) {
        const auto read = kubernetes::read_probe(wild.probe, wild.options);
        if (!read) continue;
        CAPTURE(wild.repository, wild.probe.dump());
        const std::string text = kubernetes::write_probe(read.settings).dump();
        const auto again = kubernetes::parse_probe(
            text, {.kind = wild.options.kind, .field = "probe", .strict = true});
        REQUIRE(messages(again.errors) == Reasons{});
        CHECK(again.settings.action == read.settings.action);
        CHECK(again.settings.spec == read.settings.spec);
        CHECK(kubernetes::write_probe(again.settings).dump() == text);
        ++same;
    }
    CHECK(same == 724);
}
