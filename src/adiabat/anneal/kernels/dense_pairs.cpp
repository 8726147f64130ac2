// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/dense_pairs.h"

#include <algorithm>
#include <limits>

#include "adiabat/anneal/kernels/draws.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/dense_pairs.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

template <typename Int>
void pair_any(const DenseRows<Int>& rows, DenseReplica<Int>& replica, float units_per_t,
              const PairDraw& draw, size_t first) {
    pair_move_naive(rows, replica, units_per_t, draw, first);
}

#else

// Adds the row of a variable that flips, and flips its sign. Returns its change.
template <typename Int>
HWY_INLINE int64_t flip(const DenseRows<Int>& rows, DenseReplica<Int>& replica, size_t i) {
    const hn::ScalableTag<Int> d;
    const size_t lanes = hn::Lanes(d);
    const Int sign = replica.signs[i];
    const auto s = hn::Set(d, sign);
    const int64_t change = (replica.fields[i] ^ sign) - sign;
    const Int* const row = rows.rows + i * rows.stride;
    for (size_t j = 0; j < rows.size; j += lanes) {
        const auto value = hn::Sub(hn::Xor(hn::Load(d, row + j), s), s);
        hn::Store(hn::Add(hn::Load(d, replica.fields + j), value), d, replica.fields + j);
    }
    replica.signs[i] = static_cast<Int>(~sign);
    return change;
}

template <typename Int>
HWY_INLINE auto change_at(const DenseReplica<Int>& replica, size_t j) {
    const hn::ScalableTag<Int> d;
    const auto s = hn::Load(d, replica.signs + j);
    return hn::Sub(hn::Xor(hn::Load(d, replica.fields + j), s), s);
}

template <typename Int>
HWY_INLINE Int lowest_change(const DenseRows<Int>& rows, const DenseReplica<Int>& replica) {
    const hn::ScalableTag<Int> d;
    const size_t lanes = hn::Lanes(d);
    auto a = change_at(replica, 0), b = a;
    for (size_t j = 0; j < rows.size; j += 2 * lanes) {
        a = hn::Min(a, change_at(replica, j));
        b = hn::Min(b, change_at(replica, j + lanes));
    }
    return hn::GetLane(hn::MinOfLanes(d, hn::Min(a, b)));
}

// Changes as int32, whatever Int is.
HWY_INLINE auto change32(const DenseReplica<int32_t>& replica, size_t j) {
    return change_at(replica, j);
}
HWY_INLINE auto change32(const DenseReplica<int16_t>& replica, size_t j) {
    const hn::ScalableTag<int32_t> wide;
    const hn::Rebind<int16_t, decltype(wide)> d;
    const auto s = hn::Load(d, replica.signs + j);
    return hn::PromoteTo(wide, hn::Sub(hn::Xor(hn::Load(d, replica.fields + j), s), s));
}

// The variable of the smallest key among those below `limit`.
template <typename Int>
HWY_INLINE size_t choose(const DenseRows<Int>& rows, const DenseReplica<Int>& replica,
                         float units_per_t, const PairDraw& draw, size_t first, int32_t lowest) {
    const hn::ScalableTag<int32_t> di;
    const hn::Rebind<uint32_t, decltype(di)> du;
    const hn::Rebind<float, decltype(di)> df;
    const size_t lanes = hn::Lanes(di);
    const auto base = hn::Set(di, lowest);
    const auto above = hn::Set(di, pair_limit<Int>(lowest, units_per_t));
    const auto t_per_unit = hn::Set(df, t_per_unit_of(units_per_t));
    const auto none = hn::Set(df, std::numeric_limits<float>::max());
    HWY_ALIGN float keys[4 * hwy::kMaxVectorSize];
    float smallest = std::numeric_limits<float>::max();
    size_t chosen = first;
    for (size_t j = 0; j < rows.size; j += 4 * lanes) {
        hn::Vec<decltype(di)> change[4];
        auto open = hn::Lt(above, above);
        for (size_t v = 0; v < 4; ++v) {
            change[v] = change32(replica, j + v * lanes);
            open = hn::Or(open, hn::Lt(change[v], above));
        }
        if (hn::AllFalse(di, open)) continue;
        // Word w of lane k's block belongs to variable j + 4 k + w.
        const auto counter = hn::Iota(du, static_cast<uint32_t>(j / 4));
        const auto words = philox_words(
            du, counter, hn::Set(du, draw.sweep), hn::Set(du, draw.replica ^ kPairStream << 16),
            hn::Set(du, draw.number), static_cast<uint32_t>(draw.seed) ^ kPairStream,
            static_cast<uint32_t>(draw.seed >> 32));
        const auto log_t = [&](auto word) HWY_ATTR {
            const auto t = hn::Max(thresholds(du, word), hn::Set(df, 0x1p-40f));
            return hn::Sub(hn::Zero(df), negative_log(df, t));
        };
        hn::StoreInterleaved4(log_t(words.w[0]), log_t(words.w[1]), log_t(words.w[2]),
                              log_t(words.w[3]), df, keys);
        auto best = none;
        for (size_t v = 0; v < 4; ++v) {
            const auto cost = hn::Mul(hn::ConvertTo(df, hn::Sub(change[v], base)), t_per_unit);
            const auto key = hn::Add(cost, hn::Load(df, keys + v * lanes));
            const auto inside = hn::RebindMask(df, hn::Lt(change[v], above));
            hn::Store(hn::IfThenElse(inside, key, none), df, keys + v * lanes);
            best = hn::Min(best, hn::Load(df, keys + v * lanes));
        }
        const float found = hn::GetLane(hn::MinOfLanes(df, best));
        if (found >= smallest) continue;
        smallest = found;
        for (size_t v = 0; v < 4; ++v) {
            const intptr_t lane =
                hn::FindFirstTrue(df, hn::Eq(hn::Load(df, keys + v * lanes), hn::Set(df, found)));
            if (lane < 0) continue;
            chosen = j + v * lanes + static_cast<size_t>(lane);
            break;
        }
    }
    return chosen;
}

template <typename Int>
void pair_any(const DenseRows<Int>& rows, DenseReplica<Int>& replica, float units_per_t,
              const PairDraw& draw, size_t first) {
    const int64_t up = flip(rows, replica, first);
    const int32_t lowest = lowest_change(rows, replica);
    const size_t j = choose(rows, replica, units_per_t, draw, first, lowest);
    const int64_t down = flip(rows, replica, j);
    note_pair(replica, rows.size, first, j, up + down);
}

#endif

void pair16(const DenseRows<int16_t>& rows, DenseReplica<int16_t>& replica, float units_per_t,
            const PairDraw& draw, size_t first) {
    pair_any(rows, replica, units_per_t, draw, first);
}
void pair32(const DenseRows<int32_t>& rows, DenseReplica<int32_t>& replica, float units_per_t,
            const PairDraw& draw, size_t first) {
    pair_any(rows, replica, units_per_t, draw, first);
}

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(pair16);
HWY_EXPORT(pair32);

template <>
void pair_move(const DenseRows<int16_t>& rows, DenseReplica<int16_t>& replica, float units_per_t,
               const PairDraw& draw, size_t first) {
    HWY_DYNAMIC_DISPATCH(pair16)(rows, replica, units_per_t, draw, first);
}
template <>
void pair_move(const DenseRows<int32_t>& rows, DenseReplica<int32_t>& replica, float units_per_t,
               const PairDraw& draw, size_t first) {
    HWY_DYNAMIC_DISPATCH(pair32)(rows, replica, units_per_t, draw, first);
}

template <typename Int>
void pair_move_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica, float units_per_t,
                     const PairDraw& draw, size_t first) {
    const auto change = [&](size_t j) {
        return static_cast<int32_t>((replica.fields[j] ^ replica.signs[j]) - replica.signs[j]);
    };
    const auto flip = [&](size_t i) {
        const Int sign = replica.signs[i];
        const int64_t d = change(i);
        for (size_t j = 0; j < rows.size; ++j) {
            const Int value = rows.rows[i * rows.stride + j];
            replica.fields[j] = static_cast<Int>(replica.fields[j] + (sign == 0 ? value : -value));
        }
        replica.signs[i] = static_cast<Int>(~sign);
        return d;
    };
    const int64_t up = flip(first);
    int32_t lowest = std::numeric_limits<int32_t>::max();
    for (size_t j = 0; j < rows.size; ++j) lowest = std::min(lowest, change(j));
    const int32_t limit = pair_limit<Int>(lowest, units_per_t);
    const float t_per_unit = t_per_unit_of(units_per_t);
    float smallest = std::numeric_limits<float>::max();
    size_t chosen = first;
    for (size_t j = 0; j < rows.size; ++j) {
        if (change(j) >= limit) continue;
        const auto words = pair_words(draw, static_cast<uint32_t>(j / 4));
        const float t = std::max(threshold_of(words[j % 4]), 0x1p-40f);
        const float key =
            static_cast<float>(change(j) - lowest) * t_per_unit + (0.0f - negative_log(t));
        if (key >= smallest) continue;
        smallest = key;
        chosen = j;
    }
    const int64_t down = flip(chosen);
    note_pair(replica, rows.size, first, chosen, up + down);
}
template void pair_move_naive(const DenseRows<int16_t>&, DenseReplica<int16_t>&, float,
                              const PairDraw&, size_t);
template void pair_move_naive(const DenseRows<int32_t>&, DenseReplica<int32_t>&, float,
                              const PairDraw&, size_t);

}  // namespace adiabat::anneal
#endif
