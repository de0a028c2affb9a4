#include "manifest/description.hpp"

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include <probekit/core/duration.hpp>
#include <probekit/core/go_text.hpp>

#include "manifest/printable.hpp"

namespace supervisor {
namespace {

using probekit::go_duration;

std::string words(const std::vector<std::string>& command) {
    std::string text;
    for (const std::string& word : command) text += (text.empty() ? "" : " ") + word;
    return text;
}

struct DescribedAction {
    std::string operator()(const probekit::ExecAction& action) const {
        return "exec [" + words(action.command) + "]";
    }
    std::string operator()(const probekit::TcpSocketAction& action) const {
        return "tcp-socket " + action.host + ":" + std::to_string(action.port);
    }
    std::string operator()(const probekit::HttpGetAction& action) const {
        const char* scheme = action.scheme == probekit::HttpScheme::https ? "https://" : "http://";
        return "http-get " + (scheme + action.host) + ":" + std::to_string(action.port) +
               action.path;
    }
    std::string operator()(const probekit::GrpcAction& action) const {
        return "grpc " + action.host + ":" + std::to_string(action.port) + " " + action.service;
    }
};

std::string why_not(const std::string& cannot_ask) {
    return cannot_ask.empty() ? "" : " (" + cannot_ask + ")";
}

std::string described(const Hook& hook) {
    if (hook.sleep) return "sleep " + go_duration(*hook.sleep);
    return std::visit(DescribedAction{}, hook.settings.action) + why_not(hook.cannot_ask);
}

std::string described(const ContainerSpec& container) {
    const char* kind = container.sidecar ? "sidecar"
                       : container.init  ? "init container"
                                         : "container";
    std::string text = "  " + std::string{kind} + " " + container.name + ":";
    for (const std::string& word : container.command)
        text +=
            " " + (word.find_first_of(" \t\n\"'\\$;&|<>()*?") == std::string::npos && !word.empty()
                       ? printable(word)
                       : probekit::go_quoted(word));
    text += '\n';
    const auto add = [&](std::string_view name, const auto& what) {
        if (what) text.append("    ").append(name).append(printable(described(*what))) += '\n';
    };
    add("startup    ", container.startup);
    add("liveness   ", container.liveness);
    add("readiness  ", container.readiness);
    add("postStart  ", container.post_start);
    add("preStop    ", container.pre_stop);
    return text;
}

} // namespace

std::string described(const ContainerProbe& probe) {
    const probekit::ProbeSpec& spec = probe.settings.spec;
    return std::visit(DescribedAction{}, probe.settings.action) +
           " delay=" + go_duration(spec.initial_delay) + " timeout=" + go_duration(spec.timeout) +
           " period=" + go_duration(spec.period) +
           " #success=" + std::to_string(spec.success_threshold) +
           " #failure=" + std::to_string(spec.failure_threshold) + why_not(probe.cannot_ask);
}

std::string described(const PodSpec& pod) {
    std::string text = "pod/" + pod.name + ": " + printable(pod.origin) + '\n';
    for (const auto* containers : {&pod.init_containers, &pod.containers})
        for (const ContainerSpec& container : *containers) text += described(container);
    return text;
}

} // namespace supervisor
