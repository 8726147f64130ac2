# SPDX-License-Identifier: Apache-2.0
#
# The plug-in of integer programs, the one user of Cbc. A module, loaded with dlopen on first use.

find_path(ADIABAT_CBC_INCLUDE coin/Cbc_C_Interface.h REQUIRED)
find_library(ADIABAT_CBC_SOLVER CbcSolver REQUIRED)
find_library(ADIABAT_CBC Cbc REQUIRED)
add_library(adiabat_program MODULE src/adiabat/plan/program/plugin.cpp)
target_include_directories(adiabat_program PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
# COIN-OR's headers are not clean under our warnings: they count as system headers.
target_include_directories(adiabat_program SYSTEM PRIVATE "${ADIABAT_CBC_INCLUDE}")
target_link_libraries(adiabat_program PRIVATE adiabat_warnings "${ADIABAT_CBC_SOLVER}" "${ADIABAT_CBC}")
set_target_properties(adiabat_program PROPERTIES
    PREFIX "lib" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib"
    INSTALL_RPATH "$ORIGIN")
add_dependencies(adiabat_tool adiabat_program)
