# Headers and a CMake package. The package lies under share/: nothing in it depends on the machine.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(probekit_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/probekit)

install(TARGETS probekit EXPORT probekit FILE_SET HEADERS)
install(EXPORT probekit FILE probekitTargets.cmake NAMESPACE probekit:: DESTINATION ${probekit_package_dir})
if(PROBEKIT_KUBERNETES)
    install(TARGETS probekit_kubernetes EXPORT probekit_kubernetes FILE_SET HEADERS)
    install(EXPORT probekit_kubernetes FILE probekitKubernetesTargets.cmake NAMESPACE probekit::
        DESTINATION ${probekit_package_dir})
endif()
if(TARGET probekit_tls)
    install(TARGETS probekit_tls EXPORT probekit_tls FILE_SET HEADERS)
    install(EXPORT probekit_tls FILE probekitTlsTargets.cmake NAMESPACE probekit:: DESTINATION ${probekit_package_dir})
endif()

configure_package_config_file(cmake/probekitConfig.cmake.in "${PROJECT_BINARY_DIR}/probekitConfig.cmake"
    INSTALL_DESTINATION ${probekit_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/probekitConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/probekitConfig.cmake" "${PROJECT_BINARY_DIR}/probekitConfigVersion.cmake"
    cmake/Findasio.cmake DESTINATION ${probekit_package_dir})
