// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <span>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/http/expectation.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

inline void write_match(const http::TextMatch& match, nlohmann::ordered_json& out) {
    switch (match.kind) {
    case http::TextMatch::Kind::equals: out["equals"] = match.text; break;
    case http::TextMatch::Kind::contains: out["contains"] = match.text; break;
    case http::TextMatch::Kind::regex: out["matches"] = match.text; break;
    case http::TextMatch::Kind::json:
        out["jsonPointer"] = match.text;
        out["equals"] = nlohmann::ordered_json::parse(match.value);
        break;
    case http::TextMatch::Kind::any:
    case http::TextMatch::Kind::custom: break; // the latter has no form in JSON
    }
}

[[nodiscard]] inline nlohmann::ordered_json written(
    std::span<const http::Expectation> expectations) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const http::Expectation& one : expectations) {
        nlohmann::ordered_json out = nlohmann::ordered_json::object();
        if (one.negated) out["not"] = true;
        switch (one.subject) {
        case ExpectationSubject::status:
            for (const http::StatusRange& range : one.statuses) {
                if (range.first == range.last)
                    out["status"].push_back(range.first);
                else
                    out["status"].push_back(std::to_string(range.first) + "-" +
                                            std::to_string(range.last));
            }
            break;
        case ExpectationSubject::header:
            out["header"] = one.header;
            write_match(one.match, out);
            break;
        case ExpectationSubject::body:
            if (one.body_bytes == http::whole_body)
                out["body"] = "whole";
            else
                out["body"] = one.body_bytes;
            write_match(one.match, out);
            break;
        case ExpectationSubject::latency: out["latency"] = go_duration(one.at_most); break;
        case ExpectationSubject::any_of: out["anyOf"] = written(one.alternatives); break;
        }
        list.push_back(std::move(out));
    }
    return list;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
