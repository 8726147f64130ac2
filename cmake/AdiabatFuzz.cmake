# SPDX-License-Identifier: Apache-2.0
#
# Fuzzers, foo.fuzz.cpp beside what they feed; dev/fuzz.sh builds and runs them. They need clang's libFuzzer,
# and hold what they test, so that it is instrumented: protobuf alone is not.

# adiabat_fuzzer(NAME MAIN SOURCE...).
function(adiabat_fuzzer name)
    add_executable(${name} ${ARGN})
    target_include_directories(${name} PRIVATE src)
    target_compile_options(${name} PRIVATE
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
        -ffp-contract=off)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(${name} PRIVATE fmt::fmt nlohmann_json::nlohmann_json Threads::Threads ${ADIABAT_LIBMD})
endfunction()

if(ADIABAT_BUILD_FUZZERS)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "ADIABAT_BUILD_FUZZERS needs clang: -D CMAKE_CXX_COMPILER=clang++")
    endif()
    adiabat_sources(network_sources_fuzzed base net onnx)
    list(APPEND network_sources_fuzzed src/adiabat/apply/cut.cpp src/adiabat/apply/cut_rewrites.cpp
         src/adiabat/apply/prepare.cpp)
    adiabat_fuzzer(adiabat_fuzz_read src/adiabat/onnx/read.fuzz.cpp ${network_sources_fuzzed})
    target_link_libraries(adiabat_fuzz_read PRIVATE Eigen3::Eigen ONNX::onnx_proto protobuf::libprotobuf)

    adiabat_sources(pack_sources_fuzzed base net onnx pack)
    adiabat_fuzzer(adiabat_fuzz_container src/adiabat/pack/unpack.fuzz.cpp ${pack_sources_fuzzed})
    target_link_libraries(adiabat_fuzz_container PRIVATE Eigen3::Eigen ONNX::onnx_proto protobuf::libprotobuf
                          ${ADIABAT_ZSTD})

    adiabat_sources(problem_sources_fuzzed base qubo qubo/formats)
    adiabat_fuzzer(adiabat_fuzz_problem src/adiabat/qubo/formats/read.fuzz.cpp ${problem_sources_fuzzed})
    target_link_libraries(adiabat_fuzz_problem PRIVATE Eigen3::Eigen)

    adiabat_sources(api_sources_fuzzed base qubo qubo/formats anneal anneal/kernels anneal/bounds)
    adiabat_fuzzer(adiabat_fuzz_api src/adiabat/anneal/api.fuzz.cpp ${api_sources_fuzzed})
    target_link_libraries(adiabat_fuzz_api PRIVATE Eigen3::Eigen hwy::hwy)
endif()
