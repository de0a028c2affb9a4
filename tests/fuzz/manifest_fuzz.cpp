// The whole reader of manifests, on any text, YAML or JSON: pods or errors come out, never an
// exception, and what comes out is bounded by what went in. A pod that was read can be written as
// JSON and read again as the same pod. libFuzzer's -timeout and -rss_limit_mb bound time and memory.
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "expect.hpp"
#include "manifest/description.hpp"
#include "manifest/manifest.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"
#include "memory_file.hpp"

namespace {

using namespace supervisor;

std::size_t size_of(const std::vector<std::string>& texts) {
    std::size_t size = 0;
    for (const std::string& text : texts) size += text.size();
    return size;
}

Manifests read(std::string_view text, Options options) {
    const fuzz::MemoryFile file{text};
    options.files = {file.name()};
    try {
        return read_manifests(options);
    } catch (const std::exception& error) {
        fuzz::expect(false, std::string{"mistakes are no exceptions: "} + error.what());
        return {};
    }
}

/// What is to be run by it, without the pod's and the file's names.
std::string summary(const ContainerSpec& container) {
    std::string text = container.name + ' ' + container.image + '\n';
    for (const auto* texts : {&container.command, &container.environment})
        for (const std::string& one : *texts) text += one + '\n';
    for (const auto* probe : {&container.startup, &container.liveness, &container.readiness})
        text += *probe ? described(**probe) + '\n' : "none\n";
    return text + std::to_string(static_cast<int>(container.restart_policy)) +
           (container.sidecar ? " sidecar " : " ") + container.working_directory;
}

std::string summary(const PodSpec& pod) {
    std::string text = pod.name + ' ' + pod.name_space + ' ' + pod.pod_ip + '\n';
    for (const auto* containers : {&pod.init_containers, &pod.containers})
        for (const ContainerSpec& container : *containers) text += summary(container) + '\n';
    return text;
}

/// The supervisor prints the pod as it was given, and people feed that to it again.
void check_round_trip(const PodSpec& pod, const Options& options) {
    const std::string written = pod.object.dump(-1, ' ', false, Json::error_handler_t::replace);
    // Not these: what they refer to is elsewhere or new, or was no text.
    for (const char* const reference : {"configMap", "secret", "fieldRef", "\xef\xbf\xbd"})
        if (written.find(reference) != std::string::npos) return;
    const Manifests again = read(written, options);
    fuzz::expect(again.errors.empty() && again.pods.size() == 1, "a written pod can be read");
    fuzz::expect(summary(again.pods.front()) == summary(pod),
                 "the pod that is read again is the same");
}

void check(const Manifests& read, std::size_t size, const Options& options) {
    for (const std::string& error : read.errors) fuzz::expect(!error.empty(), "errors have a text");
    fuzz::expect(!read.errors.empty() || !read.pods.empty(), "there are pods or errors");
    // A mistake is told with its path and the beginning of what is wrong.
    const std::size_t told = size_of(read.errors) + size_of(read.warnings);
    fuzz::expect(told <= 100'000 + 2000 * size, "what is told is bounded");
    std::size_t run = 0;
    for (const PodSpec& pod : read.pods) {
        fuzz::expect(!pod.name.empty() && !pod.containers.empty(), "a pod can be run");
        for (const auto* containers : {&pod.init_containers, &pod.containers})
            for (const ContainerSpec& container : *containers) {
                fuzz::expect(!container.command.empty(), "a container has a command");
                run += size_of(container.command) + size_of(container.environment);
            }
        fuzz::expect(!described(pod).empty(), "a pod can be described");
    }
    constexpr std::size_t most = std::size_t{100} * 1024 * 1024; // of expansions and of aliases
    fuzz::expect(run <= most + 100 * size, "what is run is bounded");
    if (read.errors.empty() && size < 4096 && read.pods.size() < 4)
        for (const PodSpec& pod : read.pods) check_round_trip(pod, options);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned choice = input.byte();
    Options options{.validate = static_cast<Validation>(choice % 3),
                    .simulate = (choice & 4) != 0,
                    .images = {{"demo", {"/bin/demo", "$(PORT)"}}}};
    options.container_scoped_probes = (choice & 8) != 0;
    const std::string_view text = input.rest();
    const Manifests once = read(text, options);
    check(once, text.size(), options);
    return 0;
}
