// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/factored_rows.h"

#include <algorithm>
#include <array>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/factored_rows.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

// Element by element: the compiler's vectors of any width give the same bits.
HWY_INLINE void flip_inline(const FactoredRows& rows, FactoredReplica& replica, size_t i) {
    const float sign = replica.signs[i];
    replica.rest += static_cast<double>(sign * replica.base[i]);
    replica.signs[i] = -sign;
    ++replica.flips;
    const float* HWY_RESTRICT const row = rows.rows + i * rows.rank;
    const float* HWY_RESTRICT const weights = rows.weights;
    double* HWY_RESTRICT const forms = replica.forms;
    float* HWY_RESTRICT const rounded = replica.rounded_forms;
    for (size_t k = 0; k < rows.rank; ++k) {
        forms[k] += static_cast<double>(sign * weights[k] * row[k]);
        rounded[k] = static_cast<float>(forms[k]);
    }
    if (!rows.blocks || !rows.blocks[i].values) return;
    const FactoredRows::BlockRow& block = rows.blocks[i];
    const double* HWY_RESTRICT const values = block.values;
    float* HWY_RESTRICT const base = replica.base + block.first;
    const double scale = static_cast<double>(sign) * rows.block_scale;
    for (size_t j = 0; j < block.size; ++j) base[j] += static_cast<float>(scale * values[j]);
}

void flip_row(const FactoredRows& rows, FactoredReplica& replica, size_t i) {
    flip_inline(rows, replica, i);
}

#if HWY_TARGET == HWY_SCALAR

void sweep_window(const FactoredSweep& task) {
    const FactoredRows& rows = *task.rows;
    FactoredReplica& replica = *task.replica;
    std::array<uint32_t, 4> drawn{};
    for (size_t i = task.begin; i < task.end; ++i) {
        if (i % 4 == 0) {
            drawn = anneal::draw_words(task.seed, task.number, task.sweep,
                                       static_cast<uint32_t>(i / 4));
        }
        const float product =
            product_naive(rows.rows + i * rows.rank, replica.rounded_forms, rows.rank);
        const float change = replica.signs[i] * (replica.base[i] + product) + rows.own[i];
        if (change <= threshold_of(drawn[i % 4]) * task.scale) flip_inline(rows, replica, i);
    }
}

#else

// Lanes of a real vector, and how many of them hold the sixteen virtual ones.
inline constexpr size_t kRealLanes = std::min(size_t{HWY_MAX_BYTES} / sizeof(float), size_t{16});
inline constexpr size_t kParts = kVirtualLanes / kRealLanes;
// Products summed at once; in short vectors half of them, for want of registers.
inline constexpr size_t kTogether = 4;
inline constexpr size_t kPass = kParts == 4 ? 2 : 4;
static_assert(kTogether <= kFactoredSlack);

using DReal = hn::CappedTag<float, kRealLanes>;
using DFour = hn::CappedTag<float, 4>;
using Real = hn::Vec<DReal>;
using Four = hn::Vec<DFour>;

// Sixteen lanes to four, by halves.
HWY_INLINE Four fold(const Real* parts) {
#if HWY_MAX_BYTES >= 64
    const hn::CappedTag<float, 8> half;
    const auto eight = hn::Add(hn::LowerHalf(half, parts[0]), hn::UpperHalf(half, parts[0]));
    return hn::Add(hn::LowerHalf(DFour(), eight), hn::UpperHalf(DFour(), eight));
#elif HWY_MAX_BYTES >= 32
    const auto eight = hn::Add(parts[0], parts[1]);
    return hn::Add(hn::LowerHalf(DFour(), eight), hn::UpperHalf(DFour(), eight));
#else
    return hn::Add(hn::Add(parts[0], parts[2]), hn::Add(parts[1], parts[3]));
#endif
}

// Lane k: (v0 + v2) + (v1 + v3) of vector k.
HWY_INLINE Four add_lanes(Four a, Four b, Four c, Four e) {
    const DFour d;
    const Four ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    const Four ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
    return hn::Add(hn::ConcatLowerLower(d, ce, ab), hn::ConcatUpperUpper(d, ce, ab));
}

// kPass products of rows from `row` with z, in four lanes each.
HWY_INLINE void multiply_rows(const float* HWY_RESTRICT row, const float* HWY_RESTRICT z,
                              size_t rank, Four* found) {
    const DReal d;
    Real sums[kPass][kParts];
    for (auto& sum : sums) {
        for (Real& part : sum) part = hn::Zero(d);
    }
    for (size_t k = 0; k < rank; k += kVirtualLanes) {
        for (size_t part = 0; part < kParts; ++part) {
            const size_t at = k + part * kRealLanes;
            const Real form = hn::LoadU(d, z + at);
            for (size_t j = 0; j < kPass; ++j) {
                Real& sum = sums[j][part];
                sum = hn::Add(sum, hn::Mul(form, hn::LoadU(d, row + j * rank + at)));
            }
        }
    }
    for (size_t j = 0; j < kPass; ++j) found[j] = fold(sums[j]);
}

// t / (beta unit) of a window's variables; behind them what no change is below.
HWY_INLINE void draw_window(const FactoredSweep& task, float* limits) {
    const hn::CappedTag<uint32_t, kFactoredWindow / 4> d;
    const hn::Rebind<float, decltype(d)> df;
    const auto scale = hn::Set(df, task.scale);
    const size_t count = task.end - task.begin;
    for (size_t g = 0; 4 * g < count; g += hn::Lanes(d)) {
        const auto group = hn::Iota(d, static_cast<uint32_t>(task.begin / 4 + g));
        const auto drawn =
            draw_words(d, group, hn::Set(d, task.sweep), hn::Set(d, task.number), task.seed);
        hn::StoreInterleaved4(hn::Mul(thresholds(d, drawn.w[0]), scale),
                              hn::Mul(thresholds(d, drawn.w[1]), scale),
                              hn::Mul(thresholds(d, drawn.w[2]), scale),
                              hn::Mul(thresholds(d, drawn.w[3]), scale), df, limits + 4 * g);
    }
    std::fill_n(limits + count, kFactoredSlack, -std::numeric_limits<float>::infinity());
}

void sweep_window(const FactoredSweep& task) {
    const FactoredRows& rows = *task.rows;
    FactoredReplica& replica = *task.replica;
    alignas(64) float limits[kFactoredWindow + kFactoredSlack];
    draw_window(task, limits);
    const DFour d;
    for (size_t i = task.begin; i < task.end;) {
        const float* const row = rows.rows + i * rows.rank;
        Four found[kTogether];
        for (size_t j = 0; j < kTogether; j += kPass)
            multiply_rows(row + j * rows.rank, replica.rounded_forms, rows.rank, found + j);
        const auto product = add_lanes(found[0], found[1], found[2], found[3]);
        const auto field = hn::Add(hn::LoadU(d, replica.base + i), product);
        const auto change =
            hn::Add(hn::Mul(hn::LoadU(d, replica.signs + i), field), hn::LoadU(d, rows.own + i));
        const auto limit = hn::LoadU(d, limits + (i - task.begin));
        const intptr_t first = hn::FindFirstTrue(d, hn::Le(change, limit));
        if (first < 0) {
            i += kTogether;
            continue;
        }
        i += static_cast<size_t>(first);
        flip_inline(rows, replica, i);
        ++i;
    }
}

#endif

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(sweep_window);
HWY_EXPORT(flip_row);

void sweep_factored(const FactoredSweep& task) { HWY_DYNAMIC_DISPATCH(sweep_window)(task); }

void flip_factored(const FactoredRows& rows, FactoredReplica& replica, size_t i) {
    HWY_DYNAMIC_DISPATCH(flip_row)(rows, replica, i);
}

float product_naive(const float* row, const float* z, size_t rank) {
    std::array<float, kVirtualLanes> sum{};
    for (size_t k = 0; k < rank; ++k) sum[k % kVirtualLanes] += row[k] * z[k];
    for (size_t half = kVirtualLanes / 2; half > 0; half /= 2) {
        for (size_t v = 0; v < half; ++v) sum[v] += sum[v + half];
    }
    return sum[0];
}

}  // namespace adiabat::anneal
#endif
