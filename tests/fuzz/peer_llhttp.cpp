// Node's current parser, libllhttp-dev from Debian 13 on.
#include <cstddef>

#include <llhttp.h>

#include "peer.hpp"

namespace fuzz {

Reading read_with_llhttp(std::string_view bytes) {
    Reading reading;
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_body = [](llhttp_t* from, const char* data, std::size_t size) {
        static_cast<Reading*>(from->data)->body.append(data, size);
        return 0;
    };
    settings.on_message_complete = [](llhttp_t* from) -> int {
        auto& read = *static_cast<Reading*>(from->data);
        if (from->status_code / 100 == 1 && from->status_code != 101) return 0;
        read.status = from->status_code;
        read.accepted = true;
        return HPE_PAUSED; // what follows does not belong to the response
    };
    llhttp_t parser;
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = &reading;
    if (llhttp_execute(&parser, bytes.data(), bytes.size()) == HPE_OK) llhttp_finish(&parser);
    return reading;
}

} // namespace fuzz
