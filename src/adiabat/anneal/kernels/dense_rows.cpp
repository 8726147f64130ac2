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
void sweep_any(const DenseRows<Int>& rows, std::span<DenseReplica<Int>> replicas,
               std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    for (size_t r = 0; r < replicas.size(); ++r)
        sweep_dense_group_naive(rows, replicas[r], drives[r], sweep);
}

template <typename Int>
void add_any(const DenseRows<Int>& rows, const uint64_t* bits, Int* fields) {
    for (size_t i = 0; i < rows.size; ++i) {
        if (!(bits[i / 64] >> (i % 64) & 1)) continue;
        const Int* const row = rows.rows + i * rows.stride;
        for (size_t j = 0; j < rows.size; ++j) fields[j] = static_cast<Int>(fields[j] + row[j]);
    }
}

#else

// Rows that are added to and taken from fields.
template <typename Int>
struct Pending {
    const Int* up[kGroup + 1];
    const Int* down[kGroup + 1];
    size_t ups = 0, downs = 0;

    bool empty() const { return ups + downs == 0; }
};

// kCount vectors at a time: a row's address is fetched once for all of them.
template <size_t kCount, typename Int>
HWY_INLINE size_t apply_some(const Pending<Int>& pending, Int* fields, size_t begin, size_t end) {
    const hn::ScalableTag<Int> d;
    const size_t lanes = hn::Lanes(d);
    for (; begin + kCount * lanes <= end; begin += kCount * lanes) {
        hn::Vec<decltype(d)> f[kCount];
        for (size_t v = 0; v < kCount; ++v) f[v] = hn::Load(d, fields + begin + v * lanes);
        for (size_t k = 0; k < pending.ups; ++k) {
            const Int* const row = pending.up[k] + begin;
            for (size_t v = 0; v < kCount; ++v) f[v] = hn::Add(f[v], hn::Load(d, row + v * lanes));
        }
        for (size_t k = 0; k < pending.downs; ++k) {
            const Int* const row = pending.down[k] + begin;
            for (size_t v = 0; v < kCount; ++v) f[v] = hn::Sub(f[v], hn::Load(d, row + v * lanes));
        }
        for (size_t v = 0; v < kCount; ++v) hn::Store(f[v], d, fields + begin + v * lanes);
    }
    return begin;
}

template <typename Int>
HWY_INLINE void apply(const Pending<Int>& pending, Int* fields, size_t begin, size_t end) {
    begin = apply_some<8>(pending, fields, begin, end);
    begin = apply_some<4>(pending, fields, begin, end);
    apply_some<2>(pending, fields, begin, end);
}

// Thresholds in units, each plus one (what must be above d), of the variables of a group.
HWY_INLINE void draw_all(const DenseSweep& sweep, const DenseDrive& drive, const GroupDraw& group,
                         float most, int32_t* thresholds) {
    const hn::ScalableTag<uint32_t> du;
    const hn::Rebind<float, decltype(du)> df;
    const hn::Rebind<int32_t, decltype(du)> di;
    const auto units = hn::Set(df, drive.units_per_t), clip = hn::Set(df, most);
    const auto in_units = [&](auto word) HWY_ATTR {
        const auto t = hn::Mul(thresholds_below(du, word, group.share), units);
        return hn::Add(hn::ConvertTo(di, hn::Min(t, clip)), hn::Set(di, 1));
    };
    const size_t lanes = hn::Lanes(du);
    for (size_t k = 0; k < kGroup; k += 4 * lanes) {
        const auto counter = hn::Iota(du, static_cast<uint32_t>((sweep.first + k) / 4));
        const auto words = draw_words(du, counter, hn::Set(du, sweep.sweep),
                                      hn::Set(du, drive.replica), sweep.seed);
        hn::StoreInterleaved4(in_units(words.w[0]), in_units(words.w[1]), in_units(words.w[2]),
                              in_units(words.w[3]), di, thresholds + k);
    }
    thresholds[group.argmax] =
        static_cast<int32_t>(std::min(group.most * drive.units_per_t, most)) + 1;
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

// A block of variables in registers: kVectors vectors of fields and signs.
template <typename Int>
struct Block {
    static constexpr size_t kVectors = sizeof(Int);  // four vectors of counters have words for it
    using D = hn::ScalableTag<Int>;
    using V = hn::Vec<D>;

    HWY_INLINE void load(const DenseReplica<Int>& replica, size_t first) {
        const D d;
        for (size_t v = 0; v < kVectors; ++v) {
            fields[v] = hn::Load(d, replica.fields + first + v * hn::Lanes(d));
            signs[v] = hn::Load(d, replica.signs + first + v * hn::Lanes(d));
        }
    }
    HWY_INLINE void store(DenseReplica<Int>& replica, size_t first) const {
        const D d;
        for (size_t v = 0; v < kVectors; ++v) {
            hn::Store(fields[v], d, replica.fields + first + v * hn::Lanes(d));
            hn::Store(signs[v], d, replica.signs + first + v * hn::Lanes(d));
        }
    }
    HWY_INLINE V change(size_t v) const { return hn::Sub(hn::Xor(fields[v], signs[v]), signs[v]); }
    // Adds the row where `sign` is 0 and takes it away where it is -1.
    HWY_INLINE void add(const Int* row, Int sign) {
        const D d;
        const V s = hn::Set(d, sign);
        for (size_t v = 0; v < kVectors; ++v) {
            const V values = hn::Load(d, row + v * hn::Lanes(d));
            fields[v] = hn::Add(fields[v], hn::Sub(hn::Xor(values, s), s));
        }
    }

    V fields[kVectors], signs[kVectors];
    V gained[kVectors];  // sum of the changes of flips; a lane flips once at most
};

// The flips of one vector of a block, lane by lane. `word` holds the group's x.
template <typename Int>
HWY_INLINE void flip_lanes(const DenseRows<Int>& rows, size_t first, size_t v,
                           const int32_t* thresholds, Block<Int>& block, Pending<Int>& pending,
                           uint64_t& word) {
    const hn::ScalableTag<Int> d;
    const size_t at = first + v * hn::Lanes(d);
    const auto threshold = load_thresholds(d, thresholds + at % kGroup);
    const auto lane_numbers = hn::Iota(d, Int{0});
    auto change = block.change(v);
    auto open = hn::Lt(change, threshold);
    for (intptr_t lane = hn::FindFirstTrue(d, open); lane >= 0;
         lane = hn::FindFirstTrue(d, open)) {
        const size_t i = at + static_cast<size_t>(lane);
        // No branch on the sign: it is as good as random.
        const uint64_t bit = uint64_t{1} << (i % kGroup);
        const size_t set = (word & bit) != 0 ? 1 : 0;
        word ^= bit;
        const Int* const row = rows.rows + i * rows.stride;
        pending.up[pending.ups] = row;
        pending.down[pending.downs] = row;
        pending.ups += 1 - set;
        pending.downs += set;
        block.add(row + first, static_cast<Int>(-static_cast<Int>(set)));
        const auto here = hn::Set(d, static_cast<Int>(lane));
        const auto is_here = hn::Eq(lane_numbers, here);
        block.gained[v] = hn::Add(block.gained[v], hn::IfThenElseZero(is_here, change));
        block.signs[v] = hn::Xor(block.signs[v], hn::VecFromMask(d, is_here));
        change = block.change(v);
        // Those up to this one have had their turn.
        open = hn::And(hn::Lt(change, threshold), hn::Gt(lane_numbers, here));
    }
}

HWY_INLINE int64_t sum_of(hn::ScalableTag<int32_t> d, hn::Vec<hn::ScalableTag<int32_t>> values) {
    const hn::RepartitionToWide<decltype(d)> wide;
    const auto even = hn::ShiftRight<32>(hn::ShiftLeft<32>(hn::BitCast(wide, values)));
    const auto odd = hn::ShiftRight<32>(hn::BitCast(wide, values));
    return hn::GetLane(hn::SumOfLanes(wide, hn::Add(even, odd)));
}
HWY_INLINE int64_t sum_of(hn::ScalableTag<int16_t> d, hn::Vec<hn::ScalableTag<int16_t>> values) {
    const hn::RepartitionToWide<decltype(d)> wide;
    const auto even = hn::ShiftRight<16>(hn::ShiftLeft<16>(hn::BitCast(wide, values)));
    const auto odd = hn::ShiftRight<16>(hn::BitCast(wide, values));
    return hn::GetLane(hn::SumOfLanes(wide, hn::Add(even, odd)));
}

// The proposals of one replica to the group; what flipped is left pending for the fields outside it.
template <typename Int>
HWY_INLINE void propose_group(const DenseRows<Int>& rows, DenseReplica<Int>& replica,
                              const DenseDrive& drive, const DenseSweep& sweep,
                              Pending<Int>& outside) {
    const hn::ScalableTag<Int> d;
    constexpr size_t kVectors = Block<Int>::kVectors;
    const size_t size = kVectors * hn::Lanes(d), end = sweep.first + kGroup;
    const auto most = static_cast<float>(kMostField<Int>);
    const GroupDraw group = draw_group(sweep.seed, drive.replica, sweep.sweep,
                                       static_cast<uint32_t>(sweep.first / kGroup));
    const float limit = std::min(group.most * drive.units_per_t, most);
    const auto beyond = hn::Set(d, static_cast<Int>(static_cast<Int>(limit) + 1));
    Block<Int> block;
    auto reached = hn::Lt(beyond, beyond);
    for (size_t first = sweep.first; first < end; first += size) {
        block.load(replica, first);
        auto lowest = block.change(0);
        for (size_t v = 1; v < kVectors; ++v) lowest = hn::Min(lowest, block.change(v));
        reached = hn::Or(reached, hn::Lt(lowest, beyond));
    }
    if (hn::AllFalse(d, reached)) return;

    HWY_ALIGN int32_t thresholds[kGroup];
    draw_all(sweep, drive, group, most, thresholds);
    uint64_t word = replica.bits[sweep.first / kGroup];
    int64_t gained = 0;
    for (size_t first = sweep.first; first < end; first += size) {
        if (size < kGroup) block.load(replica, first);
        for (size_t v = 0; v < kVectors; ++v) block.gained[v] = hn::Zero(d);
        Pending<Int> here;
        for (size_t v = 0; v < kVectors; ++v)
            flip_lanes(rows, first, v, thresholds, block, here, word);
        if (here.empty()) continue;
        for (size_t v = 0; v < kVectors; ++v) gained += sum_of(d, block.gained[v]);
        block.store(replica, first);
        apply(here, replica.fields, sweep.first, first);
        apply(here, replica.fields, first + size, end);
        std::copy_n(here.up, here.ups, outside.up + outside.ups);
        std::copy_n(here.down, here.downs, outside.down + outside.downs);
        outside.ups += here.ups;
        outside.downs += here.downs;
    }
    note_flips(replica, rows.size, sweep.first, gained, word);
}

template <typename Int>
void sweep_some(const DenseRows<Int>& rows, std::span<DenseReplica<Int>> replicas,
                std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    constexpr size_t kTile = 256 / sizeof(Int);  // columns: 16 KB of the group's rows
    Pending<Int> pending[kDenseTogether];
    for (size_t r = 0; r < replicas.size(); ++r)
        propose_group(rows, replicas[r], drives[r], sweep, pending[r]);
    for (size_t begin = 0; begin < rows.size; begin += kTile) {
        const size_t end = std::min(begin + kTile, rows.size);
        for (size_t r = 0; r < replicas.size(); ++r) {
            if (pending[r].empty()) continue;
            // The group's own fields are current.
            if (begin <= sweep.first && sweep.first < end) {
                apply(pending[r], replicas[r].fields, begin, sweep.first);
                apply(pending[r], replicas[r].fields, sweep.first + kGroup, end);
            } else {
                apply(pending[r], replicas[r].fields, begin, end);
            }
        }
    }
}

template <typename Int>
void sweep_any(const DenseRows<Int>& rows, std::span<DenseReplica<Int>> replicas,
               std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    for (size_t r = 0; r < replicas.size(); r += kDenseTogether) {
        const size_t count = std::min(kDenseTogether, replicas.size() - r);
        sweep_some(rows, replicas.subspan(r, count), drives.subspan(r, count), sweep);
    }
}

template <typename Int>
void add_any(const DenseRows<Int>& rows, const uint64_t* bits, Int* fields) {
    Pending<Int> pending;
    for (size_t i = 0; i < rows.size; ++i) {
        if (bits[i / 64] >> (i % 64) & 1) pending.up[pending.ups++] = rows.rows + i * rows.stride;
        if (pending.ups < 16 && i + 1 < rows.size) continue;
        apply(pending, fields, 0, rows.size);
        pending.ups = 0;
    }
}

#endif

void sweep16(const DenseRows<int16_t>& rows, std::span<DenseReplica<int16_t>> replicas,
             std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    sweep_any(rows, replicas, drives, sweep);
}
void sweep32(const DenseRows<int32_t>& rows, std::span<DenseReplica<int32_t>> replicas,
             std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    sweep_any(rows, replicas, drives, sweep);
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
void sweep_dense_group(const DenseRows<int16_t>& rows, std::span<DenseReplica<int16_t>> replicas,
                       std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    HWY_DYNAMIC_DISPATCH(sweep16)(rows, replicas, drives, sweep);
}
template <>
void sweep_dense_group(const DenseRows<int32_t>& rows, std::span<DenseReplica<int32_t>> replicas,
                       std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    HWY_DYNAMIC_DISPATCH(sweep32)(rows, replicas, drives, sweep);
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
void sweep_dense_group_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica,
                             const DenseDrive& drive, const DenseSweep& sweep) {
    const auto most = static_cast<float>(kMostField<Int>);
    const GroupDraw group = draw_group(sweep.seed, drive.replica, sweep.sweep,
                                       static_cast<uint32_t>(sweep.first / kGroup));
    uint64_t word = replica.bits[sweep.first / kGroup];
    int64_t gained = 0;
    for (size_t k = 0; k < kGroup; ++k) {
        const size_t i = sweep.first + k;
        const auto words = draw_words(sweep.seed, drive.replica, sweep.sweep,
                                      static_cast<uint32_t>(i / 4));
        const float t = k == group.argmax ? group.most : threshold_below(words[i % 4], group.share);
        const Int sign = replica.signs[i];
        const int32_t change = (replica.fields[i] ^ sign) - sign;
        if (change > static_cast<int32_t>(std::min(t * drive.units_per_t, most))) continue;
        const Int* const row = rows.rows + i * rows.stride;
        for (size_t j = 0; j < rows.size; ++j) {
            replica.fields[j] =
                static_cast<Int>(replica.fields[j] + (sign == 0 ? row[j] : -row[j]));
        }
        replica.signs[i] = static_cast<Int>(~sign);
        word ^= uint64_t{1} << k;
        gained += change;
    }
    note_flips(replica, rows.size, sweep.first, gained, word);
}
template void sweep_dense_group_naive(const DenseRows<int16_t>&, DenseReplica<int16_t>&,
                                      const DenseDrive&, const DenseSweep&);
template void sweep_dense_group_naive(const DenseRows<int32_t>&, DenseReplica<int32_t>&,
                                      const DenseDrive&, const DenseSweep&);

}  // namespace adiabat::anneal
#endif
