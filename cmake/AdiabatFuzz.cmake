# SPDX-License-Identifier: Apache-2.0
#
# Fuzzers, foo.fuzz.cpp beside what they feed; dev/fuzz.sh builds and runs them. They need clang's libFuzzer,
# and hold what they test, so that it is instrumented: protobuf alone is not.

if(ADIABAT_BUILD_FUZZERS)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "ADIABAT_BUILD_FUZZERS needs clang: -D CMAKE_CXX_COMPILER=clang++")
    endif()
    adiabat_sources(fuzzed_sources base net onnx)
    list(APPEND fuzzed_sources src/adiabat/apply/cut.cpp src/adiabat/apply/cut_rewrites.cpp
         src/adiabat/apply/prepare.cpp)
    add_executable(adiabat_fuzz_read src/adiabat/onnx/read.fuzz.cpp ${fuzzed_sources})
    target_include_directories(adiabat_fuzz_read PRIVATE src)
    target_compile_options(adiabat_fuzz_read PRIVATE
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(adiabat_fuzz_read PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(adiabat_fuzz_read PRIVATE fmt::fmt nlohmann_json::nlohmann_json Threads::Threads
                          ${ADIABAT_LIBMD} ONNX::onnx_proto protobuf::libprotobuf)
endif()
