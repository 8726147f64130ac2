# SPDX-License-Identifier: Apache-2.0
#
# The plug-in of the genetic technique, the one user of pagmo. A module, loaded with dlopen on first use: pagmo's
# library has 21 MB, which nothing else should start with.

find_package(pagmo REQUIRED)
add_library(adiabat_genetic MODULE src/adiabat/anneal/genetic/plugin.cpp)
target_include_directories(adiabat_genetic PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
# pagmo's headers are not clean under our warnings: they count as system headers.
target_link_libraries(adiabat_genetic PRIVATE adiabat_warnings Pagmo::pagmo)
set_target_properties(adiabat_genetic PROPERTIES
    PREFIX "lib" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib"
    INSTALL_RPATH "$ORIGIN")
add_dependencies(adiabat_tool adiabat_genetic)
