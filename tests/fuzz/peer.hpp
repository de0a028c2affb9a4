// Other people's HTTP parsers, asked about the same bytes.
#pragma once

#include <string>
#include <string_view>

namespace fuzz {

/// What a parser made of a whole response that ended with the stream.
struct Reading {
    bool accepted = false; ///< a final response was there, and complete
    int status = 0;
    std::string body = {};
};

Reading read_with_http_parser(std::string_view bytes);
Reading read_with_llhttp(std::string_view bytes); // where it can be had

} // namespace fuzz
