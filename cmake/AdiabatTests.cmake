# SPDX-License-Identifier: Apache-2.0
#
# Unit tests stand beside what they test (foo.test.cpp). Two executables hold them: adiabat_anneal_tests those of
# the annealers alone, which build in a moment, adiabat_tests the others. Tests that run networks load the plug-in
# as the tool does.

find_package(GTest REQUIRED)
include(GoogleTest)

# Half the time of a build from nothing would go into tests: they share one precompiled header, are optimized
# little, and of the sanitizers have none that watches arithmetic: it is the library that is to be watched.
function(adiabat_tests_build_fast target)
    target_precompile_headers(${target} PRIVATE
        <gtest/gtest.h> <algorithm> <cmath> <functional> <map> <memory> <numeric> <optional> <set> <span> <string>
        <vector> <fmt/format.h>)
    target_compile_options(${target} PRIVATE
        $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess> $<$<CONFIG:Release>:-O1>)
    if(ADIABAT_SANITIZE)
        target_compile_options(${target} PRIVATE -fno-sanitize=undefined)
    endif()
endfunction()

file(GLOB anneal_test_sources CONFIGURE_DEPENDS
     "src/adiabat/base/*.test.cpp" "src/adiabat/qubo/*.test.cpp" "src/adiabat/qubo/*/*.test.cpp"
     "src/adiabat/anneal/*.test.cpp" "src/adiabat/anneal/*/*.test.cpp")
add_executable(adiabat_anneal_tests ${anneal_test_sources})
target_link_libraries(adiabat_anneal_tests PRIVATE adiabat_anneal adiabat_warnings Eigen3::Eigen hwy::hwy
                      GTest::gtest GTest::gtest_main)
target_compile_options(adiabat_anneal_tests PRIVATE -ffp-contract=off)  # as the library's
target_compile_definitions(adiabat_anneal_tests PRIVATE ADIABAT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_dependencies(adiabat_anneal_tests adiabat_genetic)
adiabat_tests_build_fast(adiabat_anneal_tests)
gtest_discover_tests(adiabat_anneal_tests DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 600)

file(GLOB test_sources CONFIGURE_DEPENDS "src/adiabat/*/*.test.cpp")
list(FILTER test_sources EXCLUDE REGEX "/(base|qubo|anneal)/")
if(NOT ADIABAT_WITH_TORCH)
    list(FILTER test_sources EXCLUDE REGEX "/(torch|pipeline)/")
endif()
add_executable(adiabat_tests ${test_sources})
target_link_libraries(adiabat_tests PRIVATE adiabat adiabat_warnings Eigen3::Eigen GTest::gtest GTest::gtest_main
                      ZLIB::ZLIB JPEG::JPEG PNG::PNG ONNX::onnx_proto protobuf::libprotobuf)
target_compile_definitions(adiabat_tests PRIVATE
    ADIABAT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    ADIABAT_TORCH_PLUGIN="$<$<BOOL:${ADIABAT_WITH_TORCH}>:${CMAKE_BINARY_DIR}/lib/libadiabat_torch.so>"
    ADIABAT_TOOL="$<TARGET_FILE:adiabat_tool>")
if(ADIABAT_WITH_TORCH)
    # What loading the engine must refuse.
    add_library(adiabat_serial_blas_plugin MODULE tests/serial_blas_plugin.cpp)
    target_link_libraries(adiabat_serial_blas_plugin PRIVATE adiabat adiabat_warnings)
    target_compile_definitions(adiabat_tests PRIVATE
        ADIABAT_SERIAL_BLAS_PLUGIN="$<TARGET_FILE:adiabat_serial_blas_plugin>")
    add_dependencies(adiabat_tests adiabat_torch adiabat_serial_blas_plugin)
endif()
add_dependencies(adiabat_tests adiabat_tool)
adiabat_tests_build_fast(adiabat_tests)
gtest_discover_tests(adiabat_tests DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 600)

# What tests/ (pytest) drive beside the tool itself.
add_executable(adiabat_engine_run tests/engine_run.cpp)
target_link_libraries(adiabat_engine_run PRIVATE adiabat adiabat_warnings)
# Cuts random channel groups and compares with the masked network.
add_executable(adiabat_cut_run tests/cut_run.cpp)
target_link_libraries(adiabat_cut_run PRIVATE adiabat adiabat_warnings)
add_executable(adiabat_node_tests tests/node_tests.cpp)
target_link_libraries(adiabat_node_tests PRIVATE adiabat adiabat_warnings ONNX::onnx_proto protobuf::libprotobuf)
add_executable(adiabat_round_trip tests/round_trip.cpp)
target_link_libraries(adiabat_round_trip PRIVATE adiabat adiabat_warnings)
# Reads a problem in one format and writes it in another.
add_executable(adiabat_qubo_convert tests/qubo_convert.cpp)
target_link_libraries(adiabat_qubo_convert PRIVATE adiabat_anneal adiabat_warnings)
