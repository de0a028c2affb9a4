# How our own tests, examples and benchmarks are compiled: link probekit_options. Users of the library never see this.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_EXTENSIONS OFF)
set(PROBEKIT_SANITIZE "" CACHE STRING "Sanitizers of the tests and examples, as -fsanitize= takes them")

set(probekit_warnings -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(PROBEKIT_WARNINGS_AS_ERRORS)
    list(APPEND probekit_warnings -Werror)
endif()

add_library(probekit_options INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND probekit_warnings -Wno-restrict) # false alarms about "text" + std::string (GCC bug 105651)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND PROBEKIT_SANITIZE MATCHES "thread")
    list(APPEND probekit_warnings -Wno-tsan) # of Asio's fences; what they order, mutexes order as well
endif()
target_compile_options(probekit_options INTERFACE ${probekit_warnings})
if(PROBEKIT_BUILD_TESTS)
    # The library checks its own invariants; benchmarks, built without tests, measure it as users have it.
    target_compile_definitions(probekit_options INTERFACE PROBEKIT_ENABLE_ASSERTS)
endif()
if(PROBEKIT_SANITIZE)
    target_compile_options(probekit_options INTERFACE -fsanitize=${PROBEKIT_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(probekit_options INTERFACE -fsanitize=${PROBEKIT_SANITIZE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND asio_VERSION VERSION_LESS 1.30)
    # These Asio versions do not know that clang has coroutines.
    target_compile_definitions(probekit_options INTERFACE ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1)
endif()
