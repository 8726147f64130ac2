# SPDX-License-Identifier: Apache-2.0
#
# Unit tests stand beside what they test (foo.test.cpp); one executable holds them all, so that LibTorch and
# GoogleTest are linked once. Tests that run networks load the plug-in as the tool does.

find_package(GTest REQUIRED)
include(GoogleTest)

file(GLOB test_sources CONFIGURE_DEPENDS "src/adiabat/*/*.test.cpp")
if(NOT ADIABAT_WITH_TORCH)
    list(FILTER test_sources EXCLUDE REGEX "/(torch|pipeline)/")
endif()
add_executable(adiabat_tests ${test_sources})
target_link_libraries(adiabat_tests PRIVATE adiabat adiabat_warnings GTest::gtest GTest::gtest_main
                      ZLIB::ZLIB JPEG::JPEG PNG::PNG ONNX::onnx_proto protobuf::libprotobuf)
target_compile_definitions(adiabat_tests PRIVATE
    ADIABAT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    ADIABAT_TORCH_PLUGIN="$<$<BOOL:${ADIABAT_WITH_TORCH}>:${CMAKE_BINARY_DIR}/lib/libadiabat_torch.so>"
    ADIABAT_TOOL="$<TARGET_FILE:adiabat_tool>")
if(ADIABAT_WITH_TORCH)
    add_dependencies(adiabat_tests adiabat_torch)
endif()
add_dependencies(adiabat_tests adiabat_tool)
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
