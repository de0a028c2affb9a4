// Node's former parser, Debian 12's libhttp-parser-dev.
#include <cstddef>

#include <http_parser.h>

#include "peer.hpp"

namespace fuzz {

Reading read_with_http_parser(std::string_view bytes) {
    Reading reading;
    http_parser parser;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &reading;
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_body = [](http_parser* from, const char* data, std::size_t size) {
        static_cast<Reading*>(from->data)->body.append(data, size);
        return 0;
    };
    settings.on_message_complete = [](http_parser* from) {
        auto& read = *static_cast<Reading*>(from->data);
        if (from->status_code / 100 == 1 && from->status_code != 101) return 0;
        read.status = static_cast<int>(from->status_code);
        read.accepted = true;
        http_parser_pause(from, 1); // what follows does not belong to the response
        return 0;
    };
    http_parser_execute(&parser, &settings, bytes.data(), bytes.size());
    if (HTTP_PARSER_ERRNO(&parser) == HPE_OK) http_parser_execute(&parser, &settings, nullptr, 0);
    return reading;
}

} // namespace fuzz
