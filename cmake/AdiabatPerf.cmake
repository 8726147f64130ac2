# SPDX-License-Identifier: Apache-2.0
#
# Programs that measure, foo.perf.cpp beside what they time; dev/perf_*.py drives them. Not built by default.

option(ADIABAT_BUILD_PERF "Build the programs that measure" OFF)
if(ADIABAT_BUILD_PERF)
    foreach(program walkers optima boltzmann limits)
        add_executable(adiabat_perf_${program} src/adiabat/anneal/${program}.perf.cpp)
        target_link_libraries(adiabat_perf_${program} PRIVATE adiabat_anneal adiabat_warnings Eigen3::Eigen)
    endforeach()
endif()
if(ADIABAT_BUILD_PERF AND ADIABAT_WITH_TORCH)
    add_executable(adiabat_perf_forward src/adiabat/torch/forward.perf.cpp)
    target_link_libraries(adiabat_perf_forward PRIVATE adiabat adiabat_warnings)
    add_dependencies(adiabat_perf_forward adiabat_torch)
    add_executable(adiabat_perf_deciding src/adiabat/pipeline/deciding.perf.cpp)
    target_link_libraries(adiabat_perf_deciding PRIVATE adiabat adiabat_warnings Eigen3::Eigen)
    add_dependencies(adiabat_perf_deciding adiabat_torch)
    add_executable(adiabat_perf_certificate src/adiabat/pipeline/certificate.perf.cpp)
    target_link_libraries(adiabat_perf_certificate PRIVATE adiabat adiabat_warnings Eigen3::Eigen)
    add_dependencies(adiabat_perf_certificate adiabat_torch adiabat_program)
endif()
