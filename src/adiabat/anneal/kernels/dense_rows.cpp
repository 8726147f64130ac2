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

constexpr size_t kFew = 8;

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

// A fixed number of rows over all fields: no branch depends on the counts.
template <size_t kUps, size_t kDowns, typename Int>
HWY_INLINE void apply_rows(const Int* const* up, const Int* const* down, Int* fields, size_t begin,
                           size_t end) {
    const hn::ScalableTag<Int> d;
    const size_t lanes = hn::Lanes(d);
    for (; begin < end; begin += 2 * lanes) {
        for (size_t v = 0; v < 2; ++v) {
            const size_t at = begin + v * lanes;
            auto f = hn::Load(d, fields + at);
            for (size_t k = 0; k < kUps; ++k) f = hn::Add(f, hn::Load(d, up[k] + at));
            for (size_t k = 0; k < kDowns; ++k) f = hn::Sub(f, hn::Load(d, down[k] + at));
            hn::Store(f, d, fields + at);
        }
    }
}

// Few rows: one or two at a time over the whole range.
template <typename Int>
HWY_INLINE void apply_few(const Pending<Int>& pending, Int* fields, size_t begin, size_t end) {
    size_t up = 0, down = 0;
    for (; up + 2 <= pending.ups; up += 2)
        apply_rows<2, 0>(pending.up + up, pending.down, fields, begin, end);
    for (; down + 2 <= pending.downs; down += 2)
        apply_rows<0, 2>(pending.up, pending.down + down, fields, begin, end);
    const bool one_up = up < pending.ups, one_down = down < pending.downs;
    if (one_up && one_down) {
        apply_rows<1, 1>(pending.up + up, pending.down + down, fields, begin, end);
    } else if (one_up) {
        apply_rows<1, 0>(pending.up + up, pending.down, fields, begin, end);
    } else if (one_down) {
        apply_rows<0, 1>(pending.up, pending.down + down, fields, begin, end);
    }
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

// The flips of one vector of a block, lane by lane.
template <typename Int>
class Chain {
  public:
    using D = hn::ScalableTag<Int>;
    using V = hn::Vec<D>;

    // `word` holds the group's x.
    HWY_INLINE Chain(const DenseRows<Int>& rows, size_t first, const int32_t* thresholds,
                     Block<Int>& block, Pending<Int>& pending, uint64_t& word)
        : rows_(rows),
          first_(first),
          thresholds_(thresholds),
          block_(block),
          pending_(pending),
          word_(word) {}

    HWY_INLINE void begin(size_t v) {
        const D d;
        at_ = first_ + v * hn::Lanes(d);
        threshold_ = load_thresholds(d, thresholds_ + at_ % kGroup);
        change_ = block_.change(v);
        lane_ = hn::FindFirstTrue(d, hn::Lt(change_, threshold_));
    }
    HWY_INLINE bool open() const { return lane_ >= 0; }
    // Flips the open lane and finds the next.
    HWY_INLINE void step(size_t v) {
        const D d;
        const size_t i = at_ + static_cast<size_t>(lane_);
        // No branch on the sign: it is as good as random.
        const uint64_t bit = uint64_t{1} << (i % kGroup);
        const size_t set = (word_ & bit) != 0 ? 1 : 0;
        word_ ^= bit;
        const Int* const row = rows_.rows + i * rows_.stride;
        pending_.up[pending_.ups] = row;
        pending_.down[pending_.downs] = row;
        pending_.ups += 1 - set;
        pending_.downs += set;
        block_.add(row + first_, static_cast<Int>(-static_cast<Int>(set)));
        const V lanes = hn::Iota(d, Int{0}), here = hn::Set(d, static_cast<Int>(lane_));
        const auto is_here = hn::Eq(lanes, here);
        block_.gained[v] = hn::Add(block_.gained[v], hn::IfThenElseZero(is_here, change_));
        block_.signs[v] = hn::Xor(block_.signs[v], hn::VecFromMask(d, is_here));
        change_ = block_.change(v);
        // Those up to this one have had their turn.
        lane_ = hn::FindFirstTrue(d, hn::And(hn::Lt(change_, threshold_), hn::Gt(lanes, here)));
    }

  private:
    const DenseRows<Int>& rows_;
    size_t first_, at_ = 0;
    const int32_t* thresholds_;
    Block<Int>& block_;
    Pending<Int>& pending_;
    uint64_t& word_;
    V threshold_, change_;
    intptr_t lane_ = -1;
};

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

// One replica's part in a group.
template <typename Int>
struct Visit {
    DenseReplica<Int>* replica = nullptr;
    HWY_ALIGN int32_t thresholds[kGroup];
    Block<Int> block;
    Pending<Int> here;  // of the block
    uint64_t word = 0;
    int64_t gained = 0;

    // Draws; false where nothing can be accepted.
    HWY_INLINE bool begin(DenseReplica<Int>& of, const DenseDrive& drive, const DenseSweep& sweep) {
        const hn::ScalableTag<Int> d;
        constexpr size_t kVectors = Block<Int>::kVectors;
        const auto most = static_cast<float>(kMostField<Int>);
        const GroupDraw group = draw_group(sweep.seed, drive.replica, sweep.sweep,
                                           static_cast<uint32_t>(sweep.first / kGroup));
        const float limit = std::min(group.most * drive.units_per_t, most);
        const auto beyond = hn::Set(d, static_cast<Int>(static_cast<Int>(limit) + 1));
        auto reached = hn::Lt(beyond, beyond);
        for (size_t k = 0; k < kGroup; k += kVectors * hn::Lanes(d)) {
            block.load(of, sweep.first + k);
            auto lowest = block.change(0);
            for (size_t v = 1; v < kVectors; ++v) lowest = hn::Min(lowest, block.change(v));
            reached = hn::Or(reached, hn::Lt(lowest, beyond));
        }
        if (hn::AllFalse(d, reached)) return false;
        replica = &of;
        draw_all(sweep, drive, group, most, thresholds);
        word = of.bits[sweep.first / kGroup];
        gained = 0;
        return true;
    }

    HWY_INLINE void enter(size_t first) {
        const hn::ScalableTag<Int> d;
        block.load(*replica, first);
        for (size_t v = 0; v < Block<Int>::kVectors; ++v) block.gained[v] = hn::Zero(d);
        here.ups = here.downs = 0;
    }

    // Leaves a block; what flipped is left pending for the fields outside of the group.
    HWY_INLINE void leave(size_t group, size_t first, Pending<Int>& outside) {
        const hn::ScalableTag<Int> d;
        constexpr size_t kVectors = Block<Int>::kVectors;
        if (here.empty()) return;
        for (size_t v = 0; v < kVectors; ++v) gained += sum_of(d, block.gained[v]);
        block.store(*replica, first);
        apply(here, replica->fields, group, first);
        apply(here, replica->fields, first + kVectors * hn::Lanes(d), group + kGroup);
        std::copy_n(here.up, here.ups, outside.up + outside.ups);
        std::copy_n(here.down, here.downs, outside.down + outside.downs);
        outside.ups += here.ups;
        outside.downs += here.downs;
    }
};

// The proposals of one replica, or of two whose chains of flips the processor can overlap.
template <typename Int, size_t kCount>
HWY_INLINE void propose(const DenseRows<Int>& rows, const DenseSweep& sweep, Visit<Int>* visits,
                        Pending<Int>* const* outside) {
    const hn::ScalableTag<Int> d;
    constexpr size_t kVectors = Block<Int>::kVectors;
    for (size_t k = 0; k < kGroup; k += kVectors * hn::Lanes(d)) {
        const size_t first = sweep.first + k;
        for (size_t c = 0; c < kCount; ++c) visits[c].enter(first);
        const auto chain = [&](size_t c) HWY_ATTR {
            Visit<Int>& visit = visits[c];
            return Chain<Int>(rows, first, visit.thresholds, visit.block, visit.here, visit.word);
        };
        Chain<Int> a = chain(0), b = chain(kCount - 1);
        for (size_t v = 0; v < kVectors; ++v) {
            a.begin(v);
            if constexpr (kCount == 2) {
                b.begin(v);
                while (a.open() && b.open()) {
                    a.step(v);
                    b.step(v);
                }
                while (b.open()) b.step(v);
            }
            while (a.open()) a.step(v);
        }
        for (size_t c = 0; c < kCount; ++c) visits[c].leave(sweep.first, first, *outside[c]);
    }
    for (size_t c = 0; c < kCount; ++c) {
        note_flips(*visits[c].replica, rows.size, sweep.first, visits[c].gained, visits[c].word);
    }
}

template <typename Int>
void sweep_some(const DenseRows<Int>& rows, std::span<DenseReplica<Int>> replicas,
                std::span<const DenseDrive> drives, const DenseSweep& sweep) {
    constexpr size_t kTile = 256 / sizeof(Int);  // columns: 16 KB of the group's rows
    Pending<Int> pending[kDenseTogether];
    Visit<Int> visits[2];
    Pending<Int>* outside[2] = {};
    size_t waiting = 0;
    for (size_t r = 0; r < replicas.size(); ++r) {
        if (!visits[waiting].begin(replicas[r], drives[r], sweep)) continue;
        outside[waiting++] = &pending[r];
        if (waiting < 2) continue;
        propose<Int, 2>(rows, sweep, visits, outside);
        waiting = 0;
    }
    if (waiting > 0) propose<Int, 1>(rows, sweep, visits, outside);
    // Rows that are few are added whole, many tile by tile.
    bool many = false;
    for (size_t r = 0; r < replicas.size(); ++r) {
        if (pending[r].ups + pending[r].downs > kFew) {
            many = true;
            continue;
        }
        apply_few(pending[r], replicas[r].fields, 0, sweep.first);
        apply_few(pending[r], replicas[r].fields, sweep.first + kGroup, rows.size);
        pending[r].ups = pending[r].downs = 0;
    }
    if (!many) return;
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
        const auto words =
            draw_words(sweep.seed, drive.replica, sweep.sweep, static_cast<uint32_t>(i / 4));
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
