// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/dense_lanes.h"

#include <algorithm>
#include <array>

#include "adiabat/anneal/kernels/draws.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/dense_lanes.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

#ifndef ADIABAT_ANNEAL_KERNELS_DENSE_LANES_TASK_
#define ADIABAT_ANNEAL_KERNELS_DENSE_LANES_TASK_
namespace adiabat::anneal {
namespace {

// One group of variables and what comes of it, a value a lane.
struct LaneTask {
    const DenseLaneCouplings* couplings = nullptr;
    DenseLaneState state;
    DenseSweep sweep;
    size_t replicas = 0;
    float most = 0;  // clips thresholds
    alignas(64) std::array<uint32_t, kDenseLanes> replica{};
    alignas(64) std::array<float, kDenseLanes> units_per_t{};
    // Which variables flipped: of the first and of the last 32.
    alignas(64) std::array<uint32_t, 2 * kDenseLanes> flipped{};
    alignas(64) std::array<int64_t, kDenseLanes> gained{};
};

}  // namespace
}  // namespace adiabat::anneal
#endif

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Proposal by proposal, as the twin in dense_rows.cpp.
void sweep_lanes_group(LaneTask& task) {
    const DenseLaneCouplings& couplings = *task.couplings;
    const DenseSweep& sweep = task.sweep;
    const size_t end = std::min(sweep.first + kGroup, couplings.size());
    for (size_t r = 0; r < task.replicas; ++r) {
        const GroupDraw group = draw_group(sweep.seed, task.replica[r], sweep.sweep,
                                           static_cast<uint32_t>(sweep.first / kGroup));
        for (size_t i = sweep.first; i < end; ++i) {
            const auto words =
                draw_words(sweep.seed, task.replica[r], sweep.sweep, static_cast<uint32_t>(i / 4));
            const float t = i - sweep.first == group.argmax
                                ? group.most
                                : threshold_below(words[i % 4], group.share);
            int32_t& sign = task.state.signs[i * kDenseLanes + r];
            const int32_t change = (task.state.fields[i * kDenseLanes + r] ^ sign) - sign;
            if (change > static_cast<int32_t>(std::min(t * task.units_per_t[r], task.most)))
                continue;
            for (size_t j = 0; j < couplings.size(); ++j) {
                const auto digit = [&](const uint32_t* pairs) {
                    return static_cast<int32_t>(static_cast<int16_t>(pairs[j] >> (i % 2 * 16)));
                };
                int32_t coupling = digit(couplings.low(i));
                if (couplings.digits() == 2) coupling += digit(couplings.high(i)) * 32768;
                task.state.fields[j * kDenseLanes + r] += sign == 0 ? coupling : -coupling;
            }
            sign = ~sign;
            task.flipped[(i - sweep.first) / 32 * kDenseLanes + r] |= uint32_t{1} << (i % 32);
            task.gained[r] += change;
        }
    }
}

#else

using D = hn::CappedTag<int32_t, kDenseLanes / 2>;
using DU = hn::Rebind<uint32_t, D>;
using DF = hn::Rebind<float, D>;
using D16 = hn::Repartition<int16_t, D>;
using D64 = hn::RepartitionToWide<D>;
using V = hn::Vec<D>;
using VU = hn::Vec<DU>;
using VF = hn::Vec<DF>;

HWY_INLINE V change_of(V field, V sign) { return hn::Sub(hn::Xor(field, sign), sign); }

// What one vector of lanes draws in a group.
struct Draws {
    VU replica;
    VF units, share;
    VU argmax;
    V largest;  // the threshold of argmax, plus one
    V reached;  // -1 in lanes where something can be accepted

    // False where no lane can accept anything.
    HWY_INLINE bool begin(const LaneTask& task, size_t lane) {
        const D d;
        const DU du;
        const DF df;
        const DenseSweep& sweep = task.sweep;
        replica = hn::Load(du, task.replica.data() + lane);
        units = hn::Load(df, task.units_per_t.data() + lane);
        const auto words = philox_words(
            du, hn::Set(du, static_cast<uint32_t>(sweep.first / kGroup)), hn::Set(du, sweep.sweep),
            replica, hn::Set(du, kGroupStream), static_cast<uint32_t>(sweep.seed),
            static_cast<uint32_t>(sweep.seed >> 32));
        const VF one = hn::Set(df, 1.0f);
        const VF y =
            hn::Mul(thresholds(du, words.w[0]), hn::Set(df, 1.0f / static_cast<float>(kGroup)));
        VF tail = hn::Sub(one, hn::Mul(y, hn::Set(df, 1.0f / 7)));
        for (const float k : {6.0f, 5.0f, 4.0f, 3.0f, 2.0f})
            tail = hn::Sub(one, hn::Mul(hn::Mul(y, tail), hn::Set(df, 1.0f / k)));
        const VF rest = hn::Max(hn::Mul(y, tail), hn::Set(df, 0x1p-40f));
        share = hn::Sub(one, rest);
        argmax = hn::ShiftRight<26>(words.w[1]);
        largest = in_units(task, negative_log(df, rest));

        const size_t end = std::min(sweep.first + kGroup, task.couplings->size());
        V lowest = hn::Set(d, kNeverField<int32_t>);
        for (size_t i = sweep.first; i < end; ++i) {
            const size_t at = i * kDenseLanes + lane;
            lowest = hn::Min(lowest, change_of(hn::Load(d, task.state.fields + at),
                                               hn::Load(d, task.state.signs + at)));
        }
        const auto can = hn::Lt(lowest, largest);
        reached = hn::VecFromMask(d, can);
        return !hn::AllFalse(d, can);
    }

    HWY_INLINE V in_units(const LaneTask& task, VF t) const {
        const D d;
        const VF scaled = hn::Min(hn::Mul(t, units), hn::Set(DF(), task.most));
        return hn::Add(hn::ConvertTo(d, scaled), hn::Set(d, 1));
    }

    // Thresholds, each plus one, of the block's variables.
    HWY_INLINE void block(const LaneTask& task, size_t first, V* thresholds) const {
        const D d;
        const DU du;
        const DF df;
        const V never = hn::Set(d, -kNeverField<int32_t>);
        for (size_t k = 0; k < kLaneBlock; k += 4) {
            const auto words = draw_words(du, hn::Set(du, static_cast<uint32_t>((first + k) / 4)),
                                          hn::Set(du, task.sweep.sweep), replica, task.sweep.seed);
            for (size_t w = 0; w < 4; ++w) {
                const VF part = hn::Mul(share, uniform_floats(du, words.w[w]));
                const VF below = negative_log(
                    df, hn::Max(hn::Sub(hn::Set(df, 1.0f), part), hn::Set(df, 0x1p-40f)));
                const auto here = hn::Eq(
                    argmax, hn::Set(du, static_cast<uint32_t>(first + k + w - task.sweep.first)));
                const V t = hn::IfThenElse(hn::RebindMask(d, here), largest, in_units(task, below));
                thresholds[k + w] = hn::IfVecThenElse(reached, t, never);
            }
        }
    }
};

// Proposes the block's variables in order; the fields in memory stay as they were. Leaves what
// flipped in `deltas`, two variables a word. False where nothing flipped.
HWY_INLINE bool propose(LaneTask& task, size_t first, size_t lane, const V* thresholds, V* deltas) {
    const D d;
    const D64 wide;
    const int32_t* const tile = task.couplings->tile(first);
    const int32_t* const fields = task.state.fields + first * kDenseLanes + lane;
    int32_t* const signs = task.state.signs + first * kDenseLanes + lane;
    V f[kLaneBlock];
#pragma GCC unroll 16
    for (size_t b = 0; b < kLaneBlock; ++b) f[b] = hn::Load(d, fields + b * kDenseLanes);
    uint32_t* const flipped =
        task.flipped.data() + (first - task.sweep.first) / 32 * kDenseLanes + lane;
    V word = hn::Load(d, reinterpret_cast<const int32_t*>(flipped));
    V any = hn::Zero(d);
    auto even = hn::Zero(wide), odd = hn::Zero(wide);
#pragma GCC unroll 16
    for (size_t b = 0; b < kLaneBlock; ++b) {
        const V sign = hn::Load(d, signs + b * kDenseLanes);
        const V change = change_of(f[b], sign);
        const auto accepted = hn::Lt(change, thresholds[b]);
        const V all = hn::VecFromMask(d, accepted);
        const V delta = hn::IfThenElseZero(accepted, hn::Or(sign, hn::Set(d, 1)));
#pragma GCC unroll 16
        for (size_t j = b + 1; j < kLaneBlock; ++j)
            f[j] = hn::Add(f[j], hn::Mul(delta, hn::Set(d, tile[b * kLaneBlock + j])));
        hn::Store(hn::Xor(sign, all), d, signs + b * kDenseLanes);
        const V bit = hn::Set(d, static_cast<int32_t>(uint32_t{1} << ((first + b) % 32)));
        word = hn::Or(word, hn::And(all, bit));
        any = hn::Or(any, all);
        const auto gained = hn::BitCast(wide, hn::And(all, change));
        even = hn::Add(even, hn::ShiftRight<32>(hn::ShiftLeft<32>(gained)));
        odd = hn::Add(odd, hn::ShiftRight<32>(gained));
        V& pair = deltas[b / 2];
        pair = b % 2 == 0 ? hn::And(delta, hn::Set(d, 0xFFFF))
                          : hn::Or(pair, hn::ShiftLeft<16>(delta));
    }
    if (hn::AllTrue(d, hn::Eq(any, hn::Zero(d)))) return false;
    hn::Store(word, d, reinterpret_cast<int32_t*>(flipped));
    alignas(64) int64_t sums[2 * kDenseLanes];
    hn::Store(even, wide, sums);
    hn::Store(odd, wide, sums + kDenseLanes);
    for (size_t k = 0; k < hn::Lanes(wide); ++k) {
        task.gained[lane + 2 * k] += sums[k];
        task.gained[lane + 2 * k + 1] += sums[kDenseLanes + k];
    }
    return true;
}

// fields[j] += J delta for kVectors vectors of lanes, which share the loads of couplings; several
// variables j at a time, as many as there are registers for.
template <bool kTwoDigits, size_t kVectors>
HWY_INLINE void spread(const LaneTask& task, size_t first, size_t lane,
                       const V (*deltas)[kLaneBlock / 2]) {
    const D d;
    const DU du;
    const D16 d16;
    constexpr size_t kCount = (HWY_MAX_BYTES >= 64 ? 16 : 8) / kVectors / (kTwoDigits ? 2 : 1);
    const DenseLaneCouplings& couplings = *task.couplings;
    const size_t size = couplings.size();
    int32_t* const fields = task.state.fields + lane;
    const uint32_t* const low_pairs = couplings.low(first);
    const uint32_t* const high_pairs = kTwoDigits ? couplings.high(first) : nullptr;
    for (size_t j = 0; j < size; j += kCount) {
        V low[kCount][kVectors], high[kCount][kVectors];
        V low_odd[kCount][kVectors], high_odd[kCount][kVectors];
        for (size_t c = 0; c < kCount; ++c) {
            for (size_t v = 0; v < kVectors; ++v)
                low[c][v] = high[c][v] = low_odd[c][v] = high_odd[c][v] = hn::Zero(d);
        }
        for (size_t p = 0; p < kLaneBlock / 2; ++p) {
            const size_t at = p * size + j;
            for (size_t c = 0; c < kCount; ++c) {
                const auto pair = hn::BitCast(d16, hn::Set(du, low_pairs[at + c]));
                for (size_t v = 0; v < kVectors; ++v)
                    low[c][v] = hn::ReorderWidenMulAccumulate(d, hn::BitCast(d16, deltas[v][p]),
                                                              pair, low[c][v], low_odd[c][v]);
            }
            if constexpr (kTwoDigits) {
                for (size_t c = 0; c < kCount; ++c) {
                    const auto pair = hn::BitCast(d16, hn::Set(du, high_pairs[at + c]));
                    for (size_t v = 0; v < kVectors; ++v)
                        high[c][v] = hn::ReorderWidenMulAccumulate(
                            d, hn::BitCast(d16, deltas[v][p]), pair, high[c][v], high_odd[c][v]);
                }
            }
        }
        for (size_t c = 0; c < kCount; ++c) {
            for (size_t v = 0; v < kVectors; ++v) {
                int32_t* const field = fields + (j + c) * kDenseLanes + v * hn::Lanes(d);
                V sum = hn::Add(hn::Load(d, field),
                                hn::RearrangeToOddPlusEven(low[c][v], low_odd[c][v]));
                if constexpr (kTwoDigits) {
                    const V upper = hn::RearrangeToOddPlusEven(high[c][v], high_odd[c][v]);
                    sum = hn::Add(sum, hn::ShiftLeft<15>(upper));
                }
                hn::Store(sum, d, field);
            }
        }
    }
}

template <size_t kVectors>
void sweep_vectors(LaneTask& task, size_t lane) {
    const D d;
    const size_t end = std::min(task.sweep.first + kGroup, task.couplings->size());
    Draws draws[kVectors];
    bool open[kVectors];
    for (size_t v = 0; v < kVectors; ++v) open[v] = draws[v].begin(task, lane + v * hn::Lanes(d));
    if (std::ranges::none_of(open, [](bool o) { return o; })) return;
    V deltas[kVectors][kLaneBlock / 2];
    for (auto& delta : deltas) std::fill_n(delta, kLaneBlock / 2, hn::Zero(d));
    for (size_t first = task.sweep.first; first < end; first += kLaneBlock) {
        bool any = false;
        for (size_t v = 0; v < kVectors; ++v) {
            if (!open[v]) continue;
            V thresholds[kLaneBlock];
            draws[v].block(task, first, thresholds);
            any |= propose(task, first, lane + v * hn::Lanes(d), thresholds, deltas[v]);
        }
        if (!any) continue;
        if (task.couplings->digits() == 2)
            spread<true, kVectors>(task, first, lane, deltas);
        else
            spread<false, kVectors>(task, first, lane, deltas);
    }
}

void sweep_lanes_group(LaneTask& task) {
    const D d;
    size_t lane = 0;
    for (; lane + hn::Lanes(d) < task.replicas; lane += 2 * hn::Lanes(d))
        sweep_vectors<2>(task, lane);
    if (lane < task.replicas) sweep_vectors<1>(task, lane);
}

#endif

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(sweep_lanes_group);

template <typename Int>
void sweep_dense_lanes(const DenseLaneCouplings& couplings, const DenseLaneState& state,
                       std::span<DenseReplica<Int>> replicas, std::span<const DenseDrive> drives,
                       const DenseSweep& sweep) {
    LaneTask task;
    task.couplings = &couplings;
    task.state = state;
    task.sweep = sweep;
    task.replicas = replicas.size();
    task.most = static_cast<float>(kMostField<Int>);
    for (size_t r = 0; r < drives.size(); ++r) {
        task.replica[r] = drives[r].replica;
        task.units_per_t[r] = drives[r].units_per_t;
    }
    HWY_DYNAMIC_DISPATCH(sweep_lanes_group)(task);
    for (size_t r = 0; r < replicas.size(); ++r) {
        const uint64_t flipped = task.flipped[r] | uint64_t{task.flipped[kDenseLanes + r]} << 32;
        if (flipped == 0) continue;
        note_flips(replicas[r], (couplings.size() + 63) / 64 * 64, sweep.first, task.gained[r],
                   replicas[r].bits[sweep.first / 64] ^ flipped);
    }
}

template <typename Int>
DenseLaneCouplings DenseLaneCouplings::of(const DenseRows<Int>& rows, size_t variables) {
    DenseLaneCouplings made;
    const size_t size = made.size_ = (variables + kLaneBlock - 1) / kLaneBlock * kLaneBlock;
    bool one_digit = true;
    for (size_t i = 0; i < size && one_digit; ++i)
        one_digit = is_one_digit<Int>({rows.rows + i * rows.stride, size});
    made.low_.resize(size / 2 * size);
    if (!one_digit) made.high_.resize(size / 2 * size);
    made.tiles_.resize(size * kLaneBlock);
    for (size_t i = 0; i < size; ++i) {
        const Int* const row = rows.rows + i * rows.stride;
        for (size_t j = 0; j < size; ++j) {
            // high is rounded, so that low is between -2^14 and 2^14.
            const int32_t high = one_digit ? 0 : (int32_t{row[j]} + (1 << 14)) >> 15;
            const int32_t low = int32_t{row[j]} - high * 32768;
            const auto place = [&](std::vector<uint32_t>& pairs, int32_t digit) {
                pairs[i / 2 * size + j] |= (static_cast<uint32_t>(digit) & 0xFFFF) << (i % 2 * 16);
            };
            place(made.low_, low);
            if (!one_digit) place(made.high_, high);
        }
        std::copy_n(row + i / kLaneBlock * kLaneBlock, kLaneBlock,
                    made.tiles_.data() + i * kLaneBlock);
    }
    return made;
}

template <typename Int>
void replicas_to_lanes(std::span<const DenseReplica<Int>> replicas, size_t size,
                       const DenseLaneState& state) {
    for (size_t i = 0; i < size; ++i) {
        for (size_t r = 0; r < kDenseLanes; ++r) {
            const bool there = r < replicas.size();
            state.fields[i * kDenseLanes + r] =
                there ? int32_t{replicas[r].fields[i]} : kNeverField<int32_t>;
            state.signs[i * kDenseLanes + r] = there ? int32_t{replicas[r].signs[i]} : 0;
        }
    }
}

template <typename Int>
void lanes_to_replicas(const DenseLaneState& state, size_t size,
                       std::span<DenseReplica<Int>> replicas) {
    for (size_t r = 0; r < replicas.size(); ++r) {
        for (size_t i = 0; i < size; ++i) {
            replicas[r].fields[i] = static_cast<Int>(state.fields[i * kDenseLanes + r]);
            replicas[r].signs[i] = static_cast<Int>(state.signs[i * kDenseLanes + r]);
        }
    }
}

template DenseLaneCouplings DenseLaneCouplings::of(const DenseRows<int16_t>&, size_t);
template void sweep_dense_lanes(const DenseLaneCouplings&, const DenseLaneState&,
                                std::span<DenseReplica<int16_t>>, std::span<const DenseDrive>,
                                const DenseSweep&);
template void replicas_to_lanes(std::span<const DenseReplica<int16_t>>, size_t,
                                const DenseLaneState&);
template void lanes_to_replicas(const DenseLaneState&, size_t, std::span<DenseReplica<int16_t>>);
template DenseLaneCouplings DenseLaneCouplings::of(const DenseRows<int32_t>&, size_t);
template void sweep_dense_lanes(const DenseLaneCouplings&, const DenseLaneState&,
                                std::span<DenseReplica<int32_t>>, std::span<const DenseDrive>,
                                const DenseSweep&);
template void replicas_to_lanes(std::span<const DenseReplica<int32_t>>, size_t,
                                const DenseLaneState&);
template void lanes_to_replicas(const DenseLaneState&, size_t, std::span<DenseReplica<int32_t>>);

}  // namespace adiabat::anneal
#endif
