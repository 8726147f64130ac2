// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/sparse_lanes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/sparse_lanes.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

// Adds step * 2 J to the neighbors' words of one replica.
template <class T>
HWY_INLINE void add_row(const LaneRows<T>& rows, size_t i, bool up, T* words, size_t lanes) {
    const size_t last = rows.starts[i + 1];
    for (size_t k = rows.starts[i]; k < last; ++k) {
        T& word = words[static_cast<size_t>(rows.neighbors[k]) * lanes];
        word = static_cast<T>(up ? word + rows.couplings[k] : word - rows.couplings[k]);
    }
}

#if HWY_TARGET == HWY_SCALAR

template <class T>
T limit_of(uint32_t word, float scale) {
    const float units = std::min(threshold_of(word) * scale, LaneLimits<T>::kMostUnits);
    return static_cast<T>(2 * static_cast<int32_t>(std::max(units, 0.0f)) + 1);
}

template <class T>
void sweep_any(LaneSweep<T>& task) {
    const auto lanes = static_cast<size_t>(task.lanes);
    for (size_t r = 0; r < lanes; ++r) {
        std::array<uint32_t, 4> drawn{};
        for (int i = task.begin; i < task.end; ++i) {
            if (i % 4 == 0) {
                drawn = anneal::draw_words(task.seed, task.replica + static_cast<uint32_t>(r),
                                           task.sweep, static_cast<uint32_t>(i) / 4);
            }
            const auto k = static_cast<size_t>(i);
            T& word = task.words[k * lanes + r];
            const int32_t x = word & 1, change = (word ^ -x) + x;
            if (change >= limit_of<T>(drawn[k % 4], task.scales[r])) continue;
            task.energies[r] += change + x;
            ++task.flips;
            word = static_cast<T>(word ^ 1);
            add_row(*task.rows, k, x == 0, task.words + r, lanes);
        }
    }
}

template <class T>
void keep_any(const LaneState<T>& state) {
    const auto lanes = static_cast<size_t>(state.lanes);
    for (size_t i = 0; i < static_cast<size_t>(state.variables); ++i) {
        uint32_t bits = 0;
        for (size_t r = 0; r < lanes; ++r)
            bits |= static_cast<uint32_t>(state.words[i * lanes + r] & 1) << r;
        state.best[i] =
            static_cast<uint16_t>((state.best[i] & ~state.lanes_kept) | (bits & state.lanes_kept));
    }
}

#else

// What a change must be below, of each lane: twice the whole units in t scale, and one.
template <class T, class D, class V = hn::Vec<D>>
HWY_INLINE auto limits_of(D d, V words, hn::Vec<hn::Rebind<float, D>> scale) {
    const hn::Rebind<float, D> df;
    const hn::Rebind<int32_t, D> di;
    const auto most = hn::Set(df, LaneLimits<T>::kMostUnits);
    const auto units = hn::Min(hn::Mul(thresholds(d, words), scale), most);
    const auto whole = hn::ConvertTo(di, hn::Max(units, hn::Zero(df)));
    return hn::Add(hn::ShiftLeft<1>(whole), hn::Set(di, 1));
}

// Random blocks of four variables that are drawn at once: two of eight lanes fill a long vector.
template <int kLanes>
inline constexpr size_t kGroups = kLanes == 8 && HWY_MAX_BYTES >= 64 ? 2 : 1;

// Limits of variables 4 group .. 4 (group + kGroups) - 1, kLanes of each. `scales` are
// kGroups times the lanes'.
template <class T, int kLanes>
HWY_NOINLINE void draw_limits(const LaneSweep<T>& task, uint32_t group, const float* scales,
                              T* limits) {
    const hn::CappedTag<uint32_t, kLanes * kGroups<kLanes>> d;
    const hn::Rebind<float, decltype(d)> df;
    const hn::Rebind<T, decltype(d)> dt;
    for (size_t r = 0; r < kLanes; r += hn::Lanes(d)) {
        auto groups = hn::Set(d, group), lane = hn::Iota(d, static_cast<uint32_t>(r));
        if constexpr (kGroups<kLanes> == 2) {
            groups = hn::Add(groups, hn::ShiftRight<3>(lane));
            lane = hn::And(lane, hn::Set(d, 7u));
        }
        const auto replicas = hn::Add(lane, hn::Set(d, task.replica));
        const auto drawn = draw_words(d, groups, hn::Set(d, task.sweep), replicas, task.seed);
        const auto scale = hn::LoadU(df, scales + r);
        for (size_t j = 0; j < 4; ++j) {
            const auto found = limits_of<T>(d, drawn.w[j], scale);
            const auto narrow = [&] {
                if constexpr (std::is_same_v<T, int16_t>)
                    return hn::DemoteTo(dt, found);
                else
                    return found;
            }();
            T* const to = limits + j * kLanes + r;
            if constexpr (kGroups<kLanes> == 2) {
                const hn::Half<decltype(dt)> half;
                hn::StoreU(hn::LowerHalf(half, narrow), half, to);
                hn::StoreU(hn::UpperHalf(half, narrow), half, to + 4 * kLanes);
            } else {
                hn::StoreU(narrow, dt, to);
            }
        }
    }
}

// +-2 J in the lanes of `accepted`; `sign` is -1 where x = 1.
template <class D, class V>
HWY_INLINE V signed_coupling(D d, hn::TFromD<D> coupling, V accepted, V sign) {
    if constexpr (sizeof(coupling) == 2)
        return hn::Mul(hn::Set(d, coupling), sign);
    else
        return hn::Sub(hn::Xor(hn::And(hn::Set(d, coupling), accepted), sign), sign);
}

// What sums of changes need so that a T holds them.
template <class T, int kLanes>
struct Sums {
    alignas(64) T gains[kLanes] = {};
    alignas(64) T flips[kLanes] = {};  // negative

    void flush(LaneSweep<T>& task) {
        for (int r = 0; r < kLanes; ++r) {
            task.energies[r] += gains[r];
            task.flips -= flips[r];
            gains[r] = flips[r] = 0;
        }
    }
};

// Flips variable i in the accepting lanes v .. v + Lanes(d) - 1.
template <int kLanes, class T, class D, class V = hn::Vec<D>>
HWY_INLINE void flip_lanes(D d, const LaneSweep<T>& task, size_t i, size_t v, V accepted, V s) {
    const LaneRows<T>& rows = *task.rows;
    T* const at = task.words + i * kLanes + v;
    hn::StoreU(hn::Xor(hn::LoadU(d, at), hn::And(accepted, hn::Set(d, T{1}))), d, at);
    V sign = hn::And(s, accepted);
    // For a multiplication: +1, -1, 0.
    if constexpr (sizeof(T) == 2) sign = hn::Sub(hn::Add(sign, sign), accepted);
    const size_t last = rows.starts[i + 1];
    for (size_t k = rows.starts[i]; k < last; ++k) {
        T* const to = task.words + static_cast<size_t>(rows.neighbors[k]) * kLanes + v;
        const V addend = signed_coupling(d, rows.couplings[k], accepted, sign);
        hn::StoreU(hn::Add(hn::LoadU(d, to), addend), d, to);
    }
}

// Replicas in lanes.
template <class T, int kLanes>
void sweep_bundle(LaneSweep<T>& task) {
    const hn::CappedTag<T, static_cast<size_t>(kLanes)> d;
    const auto zero = hn::Zero(d), one = hn::Set(d, T{1});
    constexpr size_t kDrawn = 4 * kGroups<kLanes>;
    alignas(64) T limits[kDrawn * kLanes];
    alignas(64) T ceilings[kLanes];
    alignas(64) T downhill[kDrawn * kLanes];
    alignas(64) float scales[kGroups<kLanes> * kLanes];
    std::fill_n(downhill, kDrawn * kLanes, T{1});
    for (int r = 0; r < kLanes; ++r) {
        for (size_t g = 0; g < kGroups<kLanes>; ++g)
            scales[g * kLanes + static_cast<size_t>(r)] = task.scales[r];
        const float units = std::min(kMostThreshold * task.scales[r], LaneLimits<T>::kMostUnits);
        ceilings[r] = static_cast<T>(2 * static_cast<int32_t>(units) + 1);
    }
    Sums<T, kLanes> sums;
    for (int begin = task.begin; begin < task.end; begin += task.rows->flush) {
        const int end = std::min(task.end, begin + task.rows->flush);
        const T* against = downhill;
        for (int i = begin; i < end; ++i) {
            const auto k = static_cast<size_t>(i);
            if (k % kDrawn == 0) against = downhill;
            for (size_t v = 0; v < kLanes; v += hn::Lanes(d)) {
                const auto word = hn::LoadU(d, task.words + k * kLanes + v);
                const auto x = hn::And(word, one);
                const auto s = hn::Sub(zero, x);
                const auto change = hn::Sub(hn::Xor(word, s), s);
                if (against == downhill) {
                    const auto open =
                        hn::And(hn::Gt(change, zero), hn::Lt(change, hn::LoadU(d, ceilings + v)));
                    if (!hn::AllFalse(d, open)) {
                        const size_t group = k / kDrawn * kGroups<kLanes>;
                        draw_limits<T, kLanes>(task, static_cast<uint32_t>(group), scales, limits);
                        against = limits;
                    }
                }
                const auto accept =
                    hn::Lt(change, hn::LoadU(d, against + (k % kDrawn) * kLanes + v));
                if (hn::AllFalse(d, accept)) continue;
                const auto accepted = hn::VecFromMask(d, accept);
                const auto gain = hn::And(hn::Add(change, x), accepted);
                hn::StoreU(hn::Add(hn::LoadU(d, sums.gains + v), gain), d, sums.gains + v);
                hn::StoreU(hn::Add(hn::LoadU(d, sums.flips + v), accepted), d, sums.flips + v);
                flip_lanes<kLanes>(d, task, k, v, accepted, s);
            }
        }
        sums.flush(task);
    }
}

// Limits of kRowWindow variables of one replica.
template <class T>
HWY_INLINE void draw_window(const LaneSweep<T>& task, size_t first, T* limits) {
    const hn::CappedTag<uint32_t, kRowWindow / 4> d;
    const hn::Rebind<float, decltype(d)> df;
    const hn::Rebind<int32_t, decltype(d)> di;
    const auto scale = hn::Set(df, task.scales[0]);
    alignas(64) int32_t found[kRowWindow];
    for (size_t g = 0; g < kRowWindow / 4; g += hn::Lanes(d)) {
        const auto group = hn::Iota(d, static_cast<uint32_t>(first / 4 + g));
        const auto drawn =
            draw_words(d, group, hn::Set(d, task.sweep), hn::Set(d, task.replica), task.seed);
        hn::StoreInterleaved4(limits_of<T>(d, drawn.w[0], scale),
                              limits_of<T>(d, drawn.w[1], scale),
                              limits_of<T>(d, drawn.w[2], scale),
                              limits_of<T>(d, drawn.w[3], scale), di, found + 4 * g);
    }
    for (size_t k = 0; k < kRowWindow; ++k) limits[k] = static_cast<T>(found[k]);
}

// A bit for each lane where the change is below the limit.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE uint64_t accepting(D d, const T* words, const T* limits) {
    const auto word = hn::LoadU(d, words);
    const auto s = hn::Sub(hn::Zero(d), hn::And(word, hn::Set(d, T{1})));
    const auto accept = hn::Lt(hn::Sub(hn::Xor(word, s), s), hn::LoadU(d, limits));
    uint64_t bits = 0;
    if (hn::AllFalse(d, accept)) return bits;
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, accept, bytes);
    for (size_t k = 0; k < 8; ++k) bits |= uint64_t{bytes[k]} << (8 * k);
    return bits;
}

// One replica, variables in lanes: those that accept are flipped in order, and of the lanes behind
// one that flipped, its neighbors decided again.
template <class T>
void sweep_row(LaneSweep<T>& task) {
    const hn::CappedTag<T, 32> d;
    const LaneRows<T>& rows = *task.rows;
    alignas(64) T limits[kRowWindow];
    T* const words = task.words;
    const auto lanes = hn::Lanes(d);
    for (size_t first = static_cast<size_t>(task.begin); first < static_cast<size_t>(task.end);
         first += kRowWindow) {
        draw_window(task, first, limits);
        for (size_t v = 0; v < kRowWindow; v += lanes) {
            const size_t base = first + v;
            for (uint64_t bits = accepting(d, words + base, limits + v); bits != 0;) {
                const auto lane = static_cast<size_t>(std::countr_zero(bits));
                bits &= bits - 1;
                const size_t i = base + lane;
                const int32_t x = words[i] & 1;
                task.energies[0] += (words[i] ^ -x) + 2 * x;
                ++task.flips;
                words[i] = static_cast<T>(words[i] ^ 1);
                add_row(rows, i, x == 0, words, 1);
                for (size_t k = rows.starts[i] + static_cast<size_t>(rows.below[i]);
                     k < rows.starts[i + 1]; ++k) {
                    const auto j = static_cast<size_t>(rows.neighbors[k]);
                    if (j >= base + lanes) break;
                    const int32_t y = words[j] & 1;
                    const bool accept = (words[j] ^ -y) + y < limits[j - first];
                    const uint64_t bit = uint64_t{1} << (j - base);
                    bits = accept ? bits | bit : bits & ~bit;
                }
            }
        }
    }
}

template <class T>
void sweep_any(LaneSweep<T>& task) {
    if (task.lanes == 1)
        sweep_row(task);
    else if (task.lanes == 8)
        sweep_bundle<T, 8>(task);
    else
        sweep_bundle<T, 16>(task);
}

template <class T, int kLanes>
void keep_bundle(const LaneState<T>& state) {
    const hn::CappedTag<T, static_cast<size_t>(kLanes)> d;
    const uint32_t keep = state.lanes_kept;
    for (size_t i = 0; i < static_cast<size_t>(state.variables); ++i) {
        uint32_t bits = 0;
        for (size_t v = 0; v < kLanes; v += hn::Lanes(d)) {
            const auto x = hn::And(hn::LoadU(d, state.words + i * kLanes + v), hn::Set(d, T{1}));
            uint8_t bytes[8] = {};
            hn::StoreMaskBits(d, hn::Gt(x, hn::Zero(d)), bytes);
            bits |= (uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8) << v;
        }
        state.best[i] = static_cast<uint16_t>((state.best[i] & ~keep) | (bits & keep));
    }
}

template <class T>
void keep_any(const LaneState<T>& state) {
    if (state.lanes == 8) {
        keep_bundle<T, 8>(state);
    } else if (state.lanes == 16) {
        keep_bundle<T, 16>(state);
    } else {
        for (size_t i = 0; i < static_cast<size_t>(state.variables); ++i)
            state.best[i] = static_cast<uint16_t>(state.words[i] & 1);
    }
}

#endif

void sweep_lanes16(LaneSweep<int16_t>& task) { sweep_any(task); }
void sweep_lanes32(LaneSweep<int32_t>& task) { sweep_any(task); }
void keep_states16(const LaneState<int16_t>& state) { keep_any(state); }
void keep_states32(const LaneState<int32_t>& state) { keep_any(state); }

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(sweep_lanes16);
HWY_EXPORT(sweep_lanes32);
HWY_EXPORT(keep_states16);
HWY_EXPORT(keep_states32);

void sweep_lanes(LaneSweep<int16_t>& task) { HWY_DYNAMIC_DISPATCH(sweep_lanes16)(task); }
void sweep_lanes(LaneSweep<int32_t>& task) { HWY_DYNAMIC_DISPATCH(sweep_lanes32)(task); }
void keep_states(const LaneState<int16_t>& state) { HWY_DYNAMIC_DISPATCH(keep_states16)(state); }
void keep_states(const LaneState<int32_t>& state) { HWY_DYNAMIC_DISPATCH(keep_states32)(state); }

}  // namespace adiabat::anneal
#endif
