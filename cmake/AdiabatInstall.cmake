# SPDX-License-Identifier: Apache-2.0
#
# Installs the tool, the libraries, the plug-in and the headers, and what find_package(adiabat) needs.

include(CMakePackageConfigHelpers)

install(TARGETS adiabat_anneal adiabat_recon adiabat EXPORT adiabat-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS adiabat_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET adiabat_recon_v3)
    install(TARGETS adiabat_recon_v3
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/x86-64-v3 NAMELINK_SKIP)
endif()
install(TARGETS adiabat_genetic adiabat_program LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET adiabat_torch)
    install(TARGETS adiabat_torch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
# The headers of torch/ and cli/ belong to the plug-in and the tool.
install(DIRECTORY src/adiabat DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.test.h" EXCLUDE PATTERN "*-inl.h" EXCLUDE PATTERN "torch" EXCLUDE PATTERN "cli" EXCLUDE)
install(EXPORT adiabat-targets NAMESPACE adiabat::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/adiabat)
configure_package_config_file(cmake/adiabat-config.cmake.in adiabat-config.cmake
        INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/adiabat)
write_basic_package_version_file(adiabat-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/adiabat-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/adiabat-config-version.cmake"
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/adiabat)
