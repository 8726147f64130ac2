// SPDX-License-Identifier: Apache-2.0

// The vector forms of draws.h, compiled once for each instruction set (Highway's per-target include
// guard). Lane k of each result has exactly the bits of the scalar form. HWY_SCALAR, the target of
// machines without vectors, has none of this: kernels use their naive twins there.

#if defined(ADIABAT_ANNEAL_KERNELS_DRAWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ADIABAT_ANNEAL_KERNELS_DRAWS_INL_H_
#undef ADIABAT_ANNEAL_KERNELS_DRAWS_INL_H_
#else
#define ADIABAT_ANNEAL_KERNELS_DRAWS_INL_H_
#endif

#include <hwy/highway.h>

#include "adiabat/anneal/kernels/draws.h"

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET != HWY_SCALAR
namespace adiabat::anneal::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Four vectors of words: w[j] of lane k is word j of lane k's block.
template <class V>
struct Words {
    V w[4];
};

// High and low halves of the 64-bit products of unsigned lanes with a constant.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void multiply(D d, V a, V factor, V& high, V& low) {
    const hn::RepartitionToWide<D> wide;
    const auto even = hn::MulEven(a, factor);
    const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a))), factor);
    high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
    low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

// Philox4x32-7 of one counter a lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Words<V> philox_words(D d, V c0, V c1, V c2, V c3, uint32_t key0, uint32_t key1) {
    const V factor0 = hn::Set(d, 0xD2511F53u), factor1 = hn::Set(d, 0xCD9E8D57u);
    for (int round = 0; round < kDrawRounds; ++round) {
        V high0, low0, high1, low1;
        multiply(d, c0, factor0, high0, low0);
        multiply(d, c2, factor1, high1, low1);
        c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, key0));
        c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, key1));
        c1 = low1;
        c3 = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// draw_words of each lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Words<V> draw_words(D d, V group, V sweep, V replica, uint64_t seed) {
    return philox_words(d, group, sweep, replica, hn::Set(d, kProposalStream),
                        static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// uniform_float_of each lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE auto uniform_floats(D d, V word) {
    const hn::Rebind<float, D> df;
    const hn::Rebind<int32_t, D> di;
    const auto whole = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<1>(word)));
    return hn::Mul(hn::Add(whole, hn::Set(df, 0.5f)), hn::Set(df, 0x1p-31f));
}

// negative_log of each lane.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE V negative_log(DF df, V u) {
    const hn::Rebind<uint32_t, DF> d;
    const hn::Rebind<int32_t, DF> di;
    const auto bits = hn::Sub(hn::BitCast(d, u), hn::Set(d, kSqrtHalfBits));
    const auto exponent = hn::ConvertTo(df, hn::ShiftRight<23>(hn::BitCast(di, bits)));
    const auto mantissa =
        hn::Add(hn::And(bits, hn::Set(d, 0x007FFFFFu)), hn::Set(d, kSqrtHalfBits));
    const auto f = hn::Sub(hn::BitCast(df, mantissa), hn::Set(df, 1.0f));
    auto quotient = hn::Set(df, kLogCoefficients[6]);
    for (int k = 5; k >= 0; --k)
        quotient =
            hn::Add(hn::Mul(quotient, f), hn::Set(df, kLogCoefficients[static_cast<size_t>(k)]));
    const auto log = hn::Add(hn::Mul(quotient, f), hn::Mul(exponent, hn::Set(df, kLn2)));
    return hn::Sub(hn::Zero(df), log);
}

// threshold_of each lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE auto thresholds(D d, V word) {
    const hn::Rebind<float, D> df;
    return negative_log(df, uniform_floats(d, word));
}

// threshold_below of each lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE auto thresholds_below(D d, V word, float share) {
    const hn::Rebind<float, D> df;
    const auto part = hn::Mul(hn::Set(df, share), uniform_floats(d, word));
    return negative_log(df, hn::Max(hn::Sub(hn::Set(df, 1.0f), part), hn::Set(df, 0x1p-40f)));
}

}  // namespace adiabat::anneal::HWY_NAMESPACE
#endif
HWY_AFTER_NAMESPACE();

#endif
