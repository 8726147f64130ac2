# SPDX-License-Identifier: Apache-2.0
#
# Options, warnings, sanitizers, run paths: what every target of the tree shares.

option(ADIABAT_WITH_TORCH "Build the LibTorch plug-in that runs networks" ON)
option(ADIABAT_BUILD_TESTS "Build the tests" ON)
option(ADIABAT_BUILD_FUZZERS "Build the fuzzers (clang alone)" OFF)
option(ADIABAT_WERROR "Treat warnings as errors" ON)
set(ADIABAT_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# The tool finds its libraries beside itself, installed (bin, lib) or not (build, build/lib).
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};$ORIGIN")

find_program(ADIABAT_CCACHE ccache)
if(ADIABAT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Without these it keeps nothing that a precompiled header went into.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${ADIABAT_CCACHE}")
endif()

add_library(adiabat_warnings INTERFACE)
target_compile_options(adiabat_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast
    # GCC 12 sees overlaps in std::string that are not there (GCC bug 105651).
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    $<$<BOOL:${ADIABAT_WERROR}>:-Werror>)

if(ADIABAT_SANITIZE)
    add_compile_options(-fsanitize=${ADIABAT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${ADIABAT_SANITIZE})
endif()
