// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs one loop body with the widest instructions of the machine: compiled for the baseline and for
// AVX2, chosen at run time.
//
// The body is a lambda marked ADIABAT_INLINE_BODY. It has elementwise operations only (this library
// is compiled without contraction to fused operations), so that both give the same bits.

#if defined(__GNUC__) && defined(__x86_64__)
#define ADIABAT_WIDE 1
#endif
#define ADIABAT_INLINE_BODY __attribute__((always_inline))

namespace adiabat::anneal {

#ifdef ADIABAT_WIDE
template <typename Body>
__attribute__((target("avx2"), noinline)) void run_with_avx2(const Body& body) {
    body();
}
#endif

template <typename Body>
void run_wide(const Body& body) {
#ifdef ADIABAT_WIDE
    if (__builtin_cpu_supports("avx2")) return run_with_avx2(body);
#endif
    body();
}

}  // namespace adiabat::anneal
