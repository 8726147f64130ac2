// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/dense_rows.h"

#include <algorithm>

#include "adiabat/anneal/kernels/draws.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/dense_rows.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

template <typename Int>
void sweep_any(const DenseRows<Int>& rows, DenseReplica<Int>& replica, const DenseSweep& sweep) {
    sweep_dense_naive(rows, replica, sweep);
}

template <typename Int>
void add_any(const DenseRows<Int>& rows, const uint64_t* bits, Int* fields) {
    for (size_t i = 0; i < rows.stride; ++i) {
        if (!(bits[i / 64] >> (i % 64) & 1)) continue;
        const Int* const row = rows.rows + i * rows.stride;
        for (size_t j = 0; j < rows.stride; ++j) fields[j] = static_cast<Int>(fields[j] + row[j]);
    }
}

#else

// Rows that are added to and taken from the fields outside of a block.
template <typename Int>
struct Pending {
    const Int* up[hwy::kMaxVectorSize];
    const Int* down[hwy::kMaxVectorSize];
    size_t ups = 0, downs = 0;
};

template <typename Int>
HWY_INLINE void apply(const Pending<Int>& pending, Int* fields, size_t begin, size_t end) {
    const hn::ScalableTag<Int> d;
    const size_t lanes = hn::Lanes(d);
    for (size_t j = begin; j < end; j += 2 * lanes) {
        auto f0 = hn::Load(d, fields + j);
        auto f1 = hn::Load(d, fields + j + lanes);
        for (size_t k = 0; k < pending.ups; ++k) {
            f0 = hn::Add(f0, hn::Load(d, pending.up[k] + j));
            f1 = hn::Add(f1, hn::Load(d, pending.up[k] + j + lanes));
        }
        for (size_t k = 0; k < pending.downs; ++k) {
            f0 = hn::Sub(f0, hn::Load(d, pending.down[k] + j));
            f1 = hn::Sub(f1, hn::Load(d, pending.down[k] + j + lanes));
        }
        hn::Store(f0, d, fields + j);
        hn::Store(f1, d, fields + j + lanes);
    }
}

// Thresholds, each plus one (what must be above d), of the variables from `first` on, as many as a vector of counters gives.
HWY_INLINE void draw_block(const DenseSweep& sweep, size_t first, float most, int32_t* thresholds) {
    const hn::ScalableTag<uint32_t> du;
    const hn::Rebind<float, decltype(du)> df;
    const hn::Rebind<int32_t, decltype(du)> di;
    const auto group = hn::Iota(du, static_cast<uint32_t>(first / 4));
    const auto words = draw_words(du, group, hn::Set(du, sweep.sweep), hn::Set(du, sweep.replica),
                                  sweep.seed);
    const auto units = hn::Set(df, sweep.units_per_t), clip = hn::Set(df, most);
    const auto in_units = [&](auto word) HWY_ATTR {
        const auto t = hn::Min(hn::Mul(HWY_NAMESPACE::thresholds(du, word), units), clip);
        return hn::Add(hn::ConvertTo(di, t), hn::Set(di, 1));
    };
    hn::StoreInterleaved4(in_units(words.w[0]), in_units(words.w[1]), in_units(words.w[2]),
                          in_units(words.w[3]), di, thresholds);
}

HWY_INLINE auto load_thresholds(hn::ScalableTag<int32_t> d, const int32_t* from) {
    return hn::Load(d, from);
}
HWY_INLINE auto load_thresholds(hn::ScalableTag<int16_t> d, const int32_t* from) {
    const hn::Half<decltype(d)> half;
    const hn::ScalableTag<int32_t> wide;
    return hn::Combine(d, hn::DemoteTo(half, hn::Load(wide, from + hn::Lanes(wide))),
                       hn::DemoteTo(half, hn::Load(wide, from)));
}

template <typename Int>
void sweep_any(const DenseRows<Int>& rows, DenseReplica<Int>& replica, const DenseSweep& sweep) {
    const hn::ScalableTag<Int> d;
    const size_t lanes = hn::Lanes(d);
    const size_t block = 4 * hn::Lanes(hn::ScalableTag<int32_t>());
    const auto most = static_cast<float>(kMostField<Int>);
    const float limit = std::min(kMostThreshold * sweep.units_per_t, most);
    const auto beyond = hn::Set(d, static_cast<Int>(static_cast<Int>(limit) + 1));
    HWY_ALIGN int32_t thresholds[hwy::kMaxVectorSize];
    Pending<Int> pending;
    Int* const fields = replica.fields;
    Int* const signs = replica.signs;
    const auto change = [&](size_t at) HWY_ATTR {
        const auto sign = hn::Load(d, signs + at);
        return hn::Sub(hn::Xor(hn::Load(d, fields + at), sign), sign);
    };

    for (size_t first = sweep.begin; first < sweep.end; first += block) {
        auto lowest = change(first);
        for (size_t at = first + lanes; at < first + block; at += lanes)
            lowest = hn::Min(lowest, change(at));
        if (hn::AllFalse(d, hn::Lt(lowest, beyond))) continue;

        draw_block(sweep, first, most, thresholds);
        pending.ups = pending.downs = 0;
        for (size_t at = first; at < first + block; at += lanes) {
            const auto threshold = load_thresholds(d, thresholds + (at - first));
            auto open = hn::Lt(change(at), threshold);
            size_t lane = 0;
            while (true) {
                const intptr_t found = hn::FindFirstTrue(d, open);
                if (found < 0) break;
                lane = static_cast<size_t>(found);
                const size_t i = at + lane;
                const Int sign = signs[i];
                const auto delta = static_cast<Int>((fields[i] ^ sign) - sign);
                note_flip(replica, rows.stride, i, delta);
                const Int* const row = rows.rows + i * rows.stride;
                if (sign == 0) {
                    pending.up[pending.ups++] = row;
                    for (size_t j = first; j < first + block; j += lanes)
                        hn::Store(hn::Add(hn::Load(d, fields + j), hn::Load(d, row + j)), d,
                                  fields + j);
                } else {
                    pending.down[pending.downs++] = row;
                    for (size_t j = first; j < first + block; j += lanes)
                        hn::Store(hn::Sub(hn::Load(d, fields + j), hn::Load(d, row + j)), d,
                                  fields + j);
                }
                signs[i] = static_cast<Int>(~sign);
                // Those up to this one have had their turn.
                open = hn::AndNot(hn::FirstN(d, lane + 1), hn::Lt(change(at), threshold));
            }
        }
        if (pending.ups + pending.downs > 0) {
            apply(pending, fields, 0, first);
            apply(pending, fields, first + block, rows.stride);
        }
    }
}

template <typename Int>
void add_any(const DenseRows<Int>& rows, const uint64_t* bits, Int* fields) {
    Pending<Int> pending;
    for (size_t i = 0; i < rows.stride; ++i) {
        if (bits[i / 64] >> (i % 64) & 1) pending.up[pending.ups++] = rows.rows + i * rows.stride;
        if (pending.ups < 16 && i + 1 < rows.stride) continue;
        apply(pending, fields, 0, rows.stride);
        pending.ups = 0;
    }
}

#endif

void sweep16(const DenseRows<int16_t>& rows, DenseReplica<int16_t>& replica,
             const DenseSweep& sweep) {
    sweep_any(rows, replica, sweep);
}
void sweep32(const DenseRows<int32_t>& rows, DenseReplica<int32_t>& replica,
             const DenseSweep& sweep) {
    sweep_any(rows, replica, sweep);
}
void add16(const DenseRows<int16_t>& rows, const uint64_t* bits, int16_t* fields) {
    add_any(rows, bits, fields);
}
void add32(const DenseRows<int32_t>& rows, const uint64_t* bits, int32_t* fields) {
    add_any(rows, bits, fields);
}

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(sweep16);
HWY_EXPORT(sweep32);
HWY_EXPORT(add16);
HWY_EXPORT(add32);

template <>
void sweep_dense(const DenseRows<int16_t>& rows, DenseReplica<int16_t>& replica,
                 const DenseSweep& sweep) {
    HWY_DYNAMIC_DISPATCH(sweep16)(rows, replica, sweep);
}
template <>
void sweep_dense(const DenseRows<int32_t>& rows, DenseReplica<int32_t>& replica,
                 const DenseSweep& sweep) {
    HWY_DYNAMIC_DISPATCH(sweep32)(rows, replica, sweep);
}
template <>
void add_dense_rows(const DenseRows<int16_t>& rows, const uint64_t* bits, int16_t* fields) {
    HWY_DYNAMIC_DISPATCH(add16)(rows, bits, fields);
}
template <>
void add_dense_rows(const DenseRows<int32_t>& rows, const uint64_t* bits, int32_t* fields) {
    HWY_DYNAMIC_DISPATCH(add32)(rows, bits, fields);
}

template <typename Int>
void sweep_dense_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica,
                       const DenseSweep& sweep) {
    const auto most = static_cast<float>(kMostField<Int>);
    for (size_t i = sweep.begin; i < sweep.end; ++i) {
        const auto word = draw_words(sweep.seed, sweep.replica, sweep.sweep,
                                     static_cast<uint32_t>(i / 4))[i % 4];
        const float threshold = std::min(threshold_of(word) * sweep.units_per_t, most);
        const Int sign = replica.signs[i];
        const int32_t delta = (replica.fields[i] ^ sign) - sign;
        if (delta > static_cast<int32_t>(threshold)) continue;
        note_flip(replica, rows.stride, i, delta);
        const Int* const row = rows.rows + i * rows.stride;
        for (size_t j = 0; j < rows.stride; ++j) {
            replica.fields[j] =
                static_cast<Int>(replica.fields[j] + (sign == 0 ? row[j] : -row[j]));
        }
        replica.signs[i] = static_cast<Int>(~sign);
    }
}
template void sweep_dense_naive(const DenseRows<int16_t>&, DenseReplica<int16_t>&,
                                const DenseSweep&);
template void sweep_dense_naive(const DenseRows<int32_t>&, DenseReplica<int32_t>&,
                                const DenseSweep&);

}  // namespace adiabat::anneal
#endif
