# Where third-party code comes from: the system if it has it, else a pinned version. Each has a function of its own, so
# that a build without it does not look for it.
include(FetchContent)
list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}") # Findasio.cmake

# GLOBAL: a project that adds ours as a subdirectory links these targets through ours.
FetchContent_Declare(asio
    GIT_REPOSITORY https://github.com/chriskohlhoff/asio.git GIT_TAG asio-1-30-2 GIT_SHALLOW TRUE
    SOURCE_SUBDIR asio/include) # nothing to configure there: Asio's repository is not a CMake project
FetchContent_Declare(nlohmann_json
    GIT_REPOSITORY https://github.com/nlohmann/json.git GIT_TAG v3.11.3 GIT_SHALLOW TRUE SYSTEM
    FIND_PACKAGE_ARGS 3.11 GLOBAL)
FetchContent_Declare(Catch2
    GIT_REPOSITORY https://github.com/catchorg/Catch2.git GIT_TAG v3.7.1 GIT_SHALLOW TRUE SYSTEM
    FIND_PACKAGE_ARGS 3.4 GLOBAL)
FetchContent_Declare(yaml
    GIT_REPOSITORY https://github.com/yaml/libyaml.git GIT_TAG 0.2.5 GIT_SHALLOW TRUE SYSTEM)

# asio::asio. A macro, as asio_VERSION is asked for later.
macro(probekit_need_asio)
    find_package(asio 1.22.1 QUIET GLOBAL)
    if(NOT asio_FOUND)
        FetchContent_MakeAvailable(asio)
        find_package(asio 1.22.1 REQUIRED GLOBAL)
    endif()
endmacro()

# nlohmann_json::nlohmann_json
function(probekit_need_json)
    if(PROBEKIT_KUBERNETES STREQUAL "AUTO")
        find_package(nlohmann_json 3.11 QUIET GLOBAL)
    else()
        set(JSON_BuildTests OFF)
        set(JSON_Install ${PROBEKIT_INSTALL})
        FetchContent_MakeAvailable(nlohmann_json)
    endif()
endfunction()

# OpenSSL::SSL: the system's or none, as it has to be kept up to date. A macro, as OpenSSL_FOUND is asked for later.
macro(probekit_need_openssl)
    if(PROBEKIT_TLS STREQUAL "AUTO")
        find_package(OpenSSL 3.0 QUIET GLOBAL)
    else()
        find_package(OpenSSL 3.0 REQUIRED GLOBAL)
    endif()
endmacro()

# Catch2::Catch2WithMain
function(probekit_need_catch2)
    FetchContent_MakeAvailable(Catch2)
endfunction()

# probekit_yaml: libyaml, for which Debian has no CMake package and others (vcpkg, conan) have one called yaml
function(probekit_need_yaml)
    add_library(probekit_yaml INTERFACE)
    find_package(yaml QUIET CONFIG)
    find_path(PROBEKIT_YAML_INCLUDE yaml.h)
    find_library(PROBEKIT_YAML_LIBRARY yaml)
    mark_as_advanced(PROBEKIT_YAML_INCLUDE PROBEKIT_YAML_LIBRARY)
    if(PROBEKIT_YAML_INCLUDE AND PROBEKIT_YAML_LIBRARY AND NOT TARGET yaml)
        target_include_directories(probekit_yaml SYSTEM INTERFACE "${PROBEKIT_YAML_INCLUDE}")
        target_link_libraries(probekit_yaml INTERFACE "${PROBEKIT_YAML_LIBRARY}")
        return()
    endif()
    if(NOT TARGET yaml)
        set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # it asks for an old CMake, which would overrule the next line
        set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
        set(BUILD_TESTING OFF)
        FetchContent_MakeAvailable(yaml)
    endif()
    target_link_libraries(probekit_yaml INTERFACE yaml)
endfunction()
