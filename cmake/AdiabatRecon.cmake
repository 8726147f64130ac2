# SPDX-License-Identifier: Apache-2.0
#
# The arrays of reconstruction: products, factorizations and inverses of matrices in double precision, which
# Eigen vectorizes for the instruction set it is compiled for. On x86-64 the library is therefore built twice,
# for every processor and for those of x86-64-v3 (AVX2 and FMA); the dynamic loader takes the second from
# glibc-hwcaps/x86-64-v3 beside the first where the processor has them (man ld.so, "glibc hardware
# capabilities"). Neither shows anything but its own namespace: what Eigen or the standard library leaves in
# one must not be called from another.

adiabat_sources(recon_sources recon)

function(adiabat_recon_library target)
    add_library(${target} SHARED ${recon_sources})
    target_link_libraries(${target} PUBLIC adiabat_anneal PRIVATE adiabat_warnings Eigen3::Eigen hwy::hwy)
    target_link_options(${target} PRIVATE "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/recon.map")
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cmake/recon.map")
endfunction()

adiabat_recon_library(adiabat_recon)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT ADIABAT_SANITIZE)
    adiabat_recon_library(adiabat_recon_v3)
    target_compile_options(adiabat_recon_v3 PRIVATE -march=x86-64-v3)
    target_include_directories(adiabat_recon_v3 PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
    set_target_properties(adiabat_recon_v3 PROPERTIES
        OUTPUT_NAME adiabat_recon VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/glibc-hwcaps/x86-64-v3")
    add_dependencies(adiabat_recon adiabat_recon_v3)
endif()
