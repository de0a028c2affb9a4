# asio::asio for systems whose Asio has no CMake package (Debian, Ubuntu); vcpkg's and conan's have one, and it comes first.
# Also reads asio_SOURCE_DIR, which FetchContent sets. Result: asio::asio, asio_FOUND, asio_VERSION.
find_package(asio ${asio_FIND_VERSION} CONFIG QUIET)
if(TARGET asio::asio)
    set(asio_FOUND TRUE)
    return()
endif()

find_path(asio_INCLUDE_DIR asio.hpp HINTS "${asio_SOURCE_DIR}/asio/include")
mark_as_advanced(asio_INCLUDE_DIR)
if(asio_INCLUDE_DIR)
    # "#define ASIO_VERSION 102201 // 1.22.1": major * 100000 + minor * 100 + patch
    file(STRINGS "${asio_INCLUDE_DIR}/asio/version.hpp" asio_number REGEX "^#define ASIO_VERSION ")
    string(REGEX MATCH "[0-9]+" asio_number "${asio_number}")
    math(EXPR asio_major "${asio_number} / 100000")
    math(EXPR asio_minor "${asio_number} / 100 % 1000")
    math(EXPR asio_patch "${asio_number} % 100")
    set(asio_VERSION "${asio_major}.${asio_minor}.${asio_patch}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(asio REQUIRED_VARS asio_INCLUDE_DIR VERSION_VAR asio_VERSION)

if(asio_FOUND AND NOT TARGET asio::asio)
    find_package(Threads REQUIRED)
    add_library(asio::asio INTERFACE IMPORTED)
    target_include_directories(asio::asio INTERFACE "${asio_INCLUDE_DIR}")
    target_compile_definitions(asio::asio INTERFACE ASIO_STANDALONE)
    target_link_libraries(asio::asio INTERFACE Threads::Threads)
endif()
