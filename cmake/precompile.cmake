# One precompiled header for all tests and examples. Builds under sanitizers use it: they compile the same files once
# more, and take half the time with it. The plain build does without, so that a missing include is found.
add_library(probekit_precompiled OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cpp" CONTENT "")
target_link_libraries(probekit_precompiled PRIVATE probekit::kubernetes probekit_options Catch2::Catch2)
target_precompile_headers(probekit_precompiled PRIVATE <catch2/catch_test_macros.hpp>
    <catch2/generators/catch_generators.hpp> <nlohmann/json.hpp> <probekit/probekit.hpp>)

function(probekit_precompile directory)
    get_property(targets DIRECTORY "${directory}" PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target IN LISTS targets)
        get_target_property(type ${target} TYPE)
        get_target_property(libraries ${target} LINK_LIBRARIES)
        # A program that links nothing but the options includes nothing of ours or of Asio.
        if(type MATCHES "EXECUTABLE|STATIC_LIBRARY|OBJECT_LIBRARY" AND NOT libraries STREQUAL "probekit_options")
            target_precompile_headers(${target} REUSE_FROM probekit_precompiled)
        endif()
    endforeach()
    get_property(folders DIRECTORY "${directory}" PROPERTY SUBDIRECTORIES)
    foreach(folder IN LISTS folders)
        probekit_precompile("${folder}")
    endforeach()
endfunction()

if(PROBEKIT_BUILD_EXAMPLES)
    probekit_precompile("${PROJECT_SOURCE_DIR}/examples")
endif()
probekit_precompile("${PROJECT_SOURCE_DIR}/tests")
