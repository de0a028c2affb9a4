// The API server's rules for names, labels and other values of a Pod, each in its words. Every
// function notes all that is wrong, and nothing if all is well.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <probekit/core/error.hpp>

namespace supervisor {

/// Names of containers and namespaces.
void check_dns_label(std::string_view name, const std::string& field,
                     probekit::ConfigErrors& errors);

/// Names of pods: labels with dots between them.
void check_dns_subdomain(std::string_view name, const std::string& field,
                         probekit::ConfigErrors& errors);

/// metadata.labels, an object of strings.
void check_labels(const nlohmann::ordered_json& labels, const std::string& field,
                  probekit::ConfigErrors& errors);

/// metadata.annotations, an object of strings with keys like those of labels.
void check_annotations(const nlohmann::ordered_json& annotations, const std::string& field,
                       probekit::ConfigErrors& errors);

/// Names of environment variables: printable ASCII without '='.
void check_env_name(std::string_view name, const std::string& field,
                    probekit::ConfigErrors& errors);

/// Words and variables end at their first NUL on this system.
void check_no_nul(std::string_view text, const std::string& field, probekit::ConfigErrors& errors);

/// An address of the pod that this machine has for sure: in 127.0.0.0/8, or ::1.
void check_loopback(const std::string& address, const std::string& field,
                    probekit::ConfigErrors& errors);

} // namespace supervisor
