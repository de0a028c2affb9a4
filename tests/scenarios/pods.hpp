// Manifests for the tests, written in a few words.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace scenarios {

/// A container that runs a shell script.
inline nlohmann::json shell(const std::string& name, const std::string& script) {
    return {{"name", name}, {"image", "busybox"}, {"command", {"/bin/sh", "-c", script}}};
}

/// A container that runs until it is killed. It is ready once `preparation`, such as a trap, has
/// been made.
inline nlohmann::json service(const std::string& name, const std::string& preparation) {
    nlohmann::json container = shell(name, "rm -f " + name + ".up; " + preparation + "; touch " +
                                               name + ".up; while :; do /bin/sleep 0.05; done");
    container["readinessProbe"] = {{"exec", {{"command", {"test", "-e", name + ".up"}}}},
                                   {"periodSeconds", 1},
                                   {"timeoutSeconds", 60},
                                   {"failureThreshold", 1000}};
    return container;
}

/// One that ends with this status on SIGTERM.
inline nlohmann::json obedient(const std::string& name, int status = 0,
                               const std::string& at_the_end = ":") {
    return service(name, "trap '" + at_the_end + "; exit " + std::to_string(status) + "' TERM");
}

/// One that does not heed SIGTERM.
inline nlohmann::json deaf(const std::string& name) { return service(name, "trap '' TERM"); }

/// A probe that fails as soon as the container is ready.
inline nlohmann::json fails_when_up(const std::string& container) {
    return {{"exec", {{"command", {"test", "!", "-e", container + ".up"}}}},
            {"periodSeconds", 1},
            {"timeoutSeconds", 60},
            {"failureThreshold", 1}};
}

/// A handler, of a probe or a hook, that runs this script in a shell.
inline nlohmann::json exec_handler(const std::string& script) {
    return {{"exec", {{"command", {"/bin/sh", "-c", script}}}}};
}

inline nlohmann::json pod(const std::string& name, const std::vector<nlohmann::json>& containers,
                          const nlohmann::json& spec = nlohmann::json::object()) {
    nlohmann::json object{{"apiVersion", "v1"},
                          {"kind", "Pod"},
                          {"metadata", {{"name", name}}},
                          {"spec", {{"containers", containers}}}};
    object["spec"].update(spec);
    return object;
}

} // namespace scenarios
