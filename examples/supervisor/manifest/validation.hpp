// The API server's rules for names, labels and other values of a Pod, in its words. Each function
// reports all mistakes.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <probekit/core/error.hpp>

namespace supervisor {

/// Names of containers and namespaces.
void validate_dns_label(std::string_view name, const std::string& field,
                        probekit::ConfigErrors& errors);

/// Names of pods: labels with dots between them.
void validate_dns_subdomain(std::string_view name, const std::string& field,
                            probekit::ConfigErrors& errors);

/// metadata.labels, an object of strings.
void validate_labels(const nlohmann::ordered_json& labels, const std::string& field,
                     probekit::ConfigErrors& errors);

/// metadata.annotations, an object of strings with keys like those of labels.
void validate_annotations(const nlohmann::ordered_json& annotations, const std::string& field,
                          probekit::ConfigErrors& errors);

/// Names of environment variables: printable ASCII without '='.
void validate_env_name(std::string_view name, const std::string& field,
                       probekit::ConfigErrors& errors);

/// For words of commands and variables, which the system would cut at a NUL.
void validate_no_nul(std::string_view text, const std::string& field,
                     probekit::ConfigErrors& errors);

/// The address of the pod, which must be one that every machine has: in 127.0.0.0/8, or ::1.
void validate_loopback(const std::string& address, const std::string& field,
                       probekit::ConfigErrors& errors);

} // namespace supervisor
