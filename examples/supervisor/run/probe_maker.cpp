#include "run/probe_maker.hpp"

#include <utility>

namespace supervisor {

probekit::AnyProbe make_kubelet_probe(const asio::any_io_executor& executor,
                                      probekit::ProbeAction action, std::string user_agent,
                                      std::vector<probekit::http::Expectation> expect,
                                      const std::string& unix_socket) {
    return probekit::make_probe(executor, std::move(action),
                                {.tcp = {.unix_socket = unix_socket},
                                 .http = {.user_agent = std::move(user_agent),
                                          .expect = std::move(expect),
                                          .unix_socket = unix_socket}});
}

} // namespace supervisor
