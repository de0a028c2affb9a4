// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

// Everything but the optional rooms. Reading for the first time: core/probe_spec.hpp and
// core/result.hpp say what a probe is asked and what it answers, runtime/probe_worker.hpp what
// becomes of it.
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/group_fsm.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/core/kubelet_text.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_settings.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/schedule.hpp>
#include <probekit/core/threshold_counter.hpp>
#include <probekit/core/timing_wheel.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/http/exchange_fsm.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/http/request.hpp>
#include <probekit/http/response_parser.hpp>
#include <probekit/http/url.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/function_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/process/process.hpp>
#include <probekit/process/process_spec.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/clock.hpp>
#include <probekit/runtime/probe_group.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/runtime/startup_gate.hpp>
#include <probekit/runtime/supervised_process.hpp>
#include <probekit/runtime/supervision.hpp>
#include <probekit/version.hpp>
