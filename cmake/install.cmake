# Headers, a CMake package, a pkg-config file and the licence. All lie under include/ and share/: nothing in them depends on
# the machine.
#
# Inside another project nothing of this is installed unless PROBEKIT_INSTALL says so; `cmake --install build --component
# probekit` does it. The export sets are there all the same, so that the project may install(EXPORT) targets of its own that
# link ours.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(probekit_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/probekit)
set(probekit_component COMPONENT probekit)
if(NOT PROBEKIT_INSTALL)
    list(APPEND probekit_component EXCLUDE_FROM_ALL)
endif()

function(probekit_install target file)
    install(TARGETS ${target} EXPORT ${target} FILE_SET HEADERS ${probekit_component})
    install(EXPORT ${target} FILE ${file} NAMESPACE probekit:: DESTINATION ${probekit_package_dir} ${probekit_component})
endfunction()

probekit_install(probekit probekitTargets.cmake)
if(TARGET probekit_kubernetes)
    get_target_property(json_is_installed nlohmann_json::nlohmann_json IMPORTED) # else it is in our build, and no export set
    if(PROBEKIT_INSTALL OR json_is_installed)
        probekit_install(probekit_kubernetes probekitKubernetesTargets.cmake)
    endif()
endif()
if(TARGET probekit_tls)
    probekit_install(probekit_tls probekitTlsTargets.cmake)
endif()

configure_package_config_file(cmake/probekitConfig.cmake.in "${PROJECT_BINARY_DIR}/probekitConfig.cmake"
    INSTALL_DESTINATION ${probekit_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/probekitConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
configure_file(cmake/probekit.pc.in "${PROJECT_BINARY_DIR}/probekit.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/probekitConfig.cmake" "${PROJECT_BINARY_DIR}/probekitConfigVersion.cmake"
    cmake/Findasio.cmake DESTINATION ${probekit_package_dir} ${probekit_component})
install(FILES "${PROJECT_BINARY_DIR}/probekit.pc" DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig ${probekit_component})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/probekit ${probekit_component})
