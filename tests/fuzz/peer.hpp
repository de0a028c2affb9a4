// Independent HTTP parsers, which read the same bytes.
#pragma once

#include <string>
#include <string_view>

namespace fuzz {

/// How a parser read a whole response that ended with the stream.
struct Reading {
    bool accepted = false; ///< there was a final response, and it was complete
    int status = 0;
    std::string body = {};
};

Reading read_with_http_parser(std::string_view bytes);
Reading read_with_llhttp(std::string_view bytes); // where it is installed

} // namespace fuzz
