// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

// The version of this release. CMake and the packaging recipes read it from here; nothing else
// stands in this file.
#define PROBEKIT_VERSION_MAJOR 0
#define PROBEKIT_VERSION_MINOR 1
#define PROBEKIT_VERSION_PATCH 0
#define PROBEKIT_VERSION "0.1.0"
