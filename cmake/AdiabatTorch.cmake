# SPDX-License-Identifier: Apache-2.0
#
# The plug-in that runs networks through LibTorch. It is a module, loaded with dlopen on first use, so that
# the tool itself starts without LibTorch's hundreds of libraries. A few translation units include
# LibTorch (25 s each); they share one precompiled header.

find_package(Torch REQUIRED)
adiabat_sources(torch_sources torch)
add_library(adiabat_torch MODULE ${torch_sources})
# LibTorch's headers are not clean under our warnings: they count as system headers.
target_include_directories(adiabat_torch SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
target_link_libraries(adiabat_torch PRIVATE adiabat adiabat_warnings torch torch_cpu c10 gomp)
target_precompile_headers(adiabat_torch PRIVATE src/adiabat/torch/pch.h)
# These do without LibTorch, and so without its headers.
set_source_files_properties(
    src/adiabat/torch/batch.cpp src/adiabat/torch/plan.cpp src/adiabat/torch/plugin.cpp
    PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
set_target_properties(adiabat_torch PROPERTIES
    PREFIX "lib" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib"
    INSTALL_RPATH "$ORIGIN")
