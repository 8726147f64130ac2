// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/factored_rows.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/factored_rows.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

// Variables that flipped, and the signs that they had.
struct Flipped {
    size_t count = 0;
    const float* rows[kFactoredEight];
    float signs[kFactoredEight];
};

// All of a flip but z.
HWY_INLINE void flip_variable(const FactoredRows& rows, FactoredReplica& replica, size_t i,
                              Flipped& flipped) {
    const float sign = replica.signs[i];
    flipped.rows[flipped.count] = rows.rows + i * rows.rank;
    flipped.signs[flipped.count++] = sign;
    replica.rest += static_cast<double>(sign * replica.base[i]);
    replica.signs[i] = -sign;
    ++replica.flips;
    if (!rows.blocks || !rows.blocks[i].values) return;
    const FactoredRows::BlockRow& block = rows.blocks[i];
    const double* HWY_RESTRICT const values = block.values;
    float* HWY_RESTRICT const base = replica.base + block.first;
    const double scale = static_cast<double>(sign) * rows.block_scale;
    // Element by element: the compiler's vectors of any width give the same bits.
    for (size_t j = 0; j < block.size; ++j) base[j] += static_cast<float>(scale * values[j]);
}

#if HWY_TARGET == HWY_SCALAR

void add_to_forms(const FactoredRows& rows, FactoredReplica& replica, const Flipped& flipped) {
    for (size_t k = 0; k < rows.rank; ++k) {
        double form = replica.forms[k];
        for (size_t f = 0; f < flipped.count; ++f)
            form += static_cast<double>(flipped.signs[f] * rows.weights[k] * flipped.rows[f][k]);
        replica.forms[k] = form;
        replica.rounded_forms[k] = static_cast<float>(form);
    }
}

void sweep_window(const FactoredSweep& task) {
    const FactoredRows& rows = *task.rows;
    FactoredReplica& replica = *task.replica;
    for (size_t first = task.begin; first < task.end; first += kFactoredEight) {
        std::array<float, kFactoredEight> product{};
        const size_t count = std::min(kFactoredEight, task.end - first);
        for (size_t j = 0; j < count; ++j) {
            product[j] = product_naive(rows.rows + (first + j) * rows.rank, replica.rounded_forms,
                                       rows.rank);
        }
        Flipped flipped;
        for (size_t j = 0; j < count; ++j) {
            const size_t i = first + j;
            const float sign = replica.signs[i];
            const float change = sign * (replica.base[i] + product[j]) + rows.own[i];
            const auto words = anneal::draw_words(task.seed, task.number, task.sweep,
                                                  static_cast<uint32_t>(i / 4));
            if (change > threshold_of(words[i % 4]) * task.scale) continue;
            flip_variable(rows, replica, i, flipped);
            for (size_t k = 0; k < kFactoredEight; ++k)
                product[k] += sign * rows.cross[i * kFactoredEight + k];
        }
        if (flipped.count > 0) add_to_forms(rows, replica, flipped);
    }
}

#else

// Lanes of a real vector, how many of them hold the sixteen virtual ones, and rows whose products
// are summed at once: eight chains of additions.
inline constexpr size_t kRealLanes = std::min(size_t{HWY_MAX_BYTES} / sizeof(float), size_t{16});
inline constexpr size_t kParts = kVirtualLanes / kRealLanes;
inline constexpr size_t kPass = 8 / kParts;

using DReal = hn::CappedTag<float, kRealLanes>;
using DFour = hn::CappedTag<float, 4>;
using DEight = hn::CappedTag<float, kFactoredEight>;
using Real = hn::Vec<DReal>;
using Four = hn::Vec<DFour>;

// Eight lanes in as many vectors as they take.
inline constexpr size_t kEights = kRealLanes == 4 ? 2 : 1;
struct Eight {
    hn::Vec<DEight> v[kEights];
};
HWY_INLINE size_t lane_of(size_t part) { return part * kFactoredEight / kEights; }

HWY_INLINE Eight load_eight(const float* from) {
    Eight result;
    for (size_t p = 0; p < kEights; ++p) result.v[p] = hn::LoadU(DEight(), from + lane_of(p));
    return result;
}

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
HWY_INLINE Four add_lanes(const Four* v) {
    const DFour d;
    const Four a = hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1]));
    const Four b = hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3]));
    return hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
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

// Products of eight rows.
HWY_INLINE Eight products(const float* row, const float* z, size_t rank) {
    Four found[kFactoredEight];
    for (size_t j = 0; j < kFactoredEight; j += kPass)
        multiply_rows(row + j * rank, z, rank, found + j);
    const Four lower = add_lanes(found), upper = add_lanes(found + 4);
    Eight result;
#if HWY_MAX_BYTES >= 32
    result.v[0] = hn::Combine(DEight(), upper, lower);
#else
    result.v[0] = lower;
    result.v[1] = upper;
#endif
    return result;
}

// Bits of the lanes where s (base + product) + own <= limit.
HWY_INLINE uint32_t accepting(const Eight& sign, const Eight& base, const Eight& product,
                              const Eight& own, const Eight& limit) {
    const DEight d;
    uint32_t bits = 0;
    for (size_t p = 0; p < kEights; ++p) {
        const auto field = hn::Add(base.v[p], product.v[p]);
        const auto change = hn::Add(hn::Mul(sign.v[p], field), own.v[p]);
        uint8_t bytes[8] = {};
        hn::StoreMaskBits(d, hn::Le(change, limit.v[p]), bytes);
        bits |= uint32_t{bytes[0]} << lane_of(p);
    }
    return bits;
}

HWY_INLINE void add_to_forms(const FactoredRows& rows, FactoredReplica& replica,
                             const Flipped& flipped) {
    const hn::CappedTag<double, kRealLanes / 2> d;
    const hn::Rebind<float, decltype(d)> df;
    for (size_t k = 0; k < rows.rank; k += hn::Lanes(d)) {
        auto form = hn::LoadU(d, replica.forms + k);
        const auto weight = hn::LoadU(df, rows.weights + k);
        for (size_t f = 0; f < flipped.count; ++f) {
            const auto factor = hn::Mul(hn::Set(df, flipped.signs[f]), weight);
            const auto addend = hn::Mul(factor, hn::LoadU(df, flipped.rows[f] + k));
            form = hn::Add(form, hn::PromoteTo(d, addend));
        }
        hn::StoreU(form, d, replica.forms + k);
        hn::StoreU(hn::DemoteTo(df, form), df, replica.rounded_forms + k);
    }
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
    std::fill(limits + count, limits + kFactoredWindow, -std::numeric_limits<float>::infinity());
}

void sweep_window(const FactoredSweep& task) {
    const FactoredRows& rows = *task.rows;
    FactoredReplica& replica = *task.replica;
    alignas(64) float limits[kFactoredWindow];
    draw_window(task, limits);
    for (size_t first = task.begin; first < task.end; first += kFactoredEight) {
        Eight product = products(rows.rows + first * rows.rank, replica.rounded_forms, rows.rank);
        const Eight sign = load_eight(replica.signs + first);  // of those not yet decided
        const Eight own = load_eight(rows.own + first);
        const Eight limit = load_eight(limits + (first - task.begin));
        Eight base = load_eight(replica.base + first);
        Flipped flipped;
        uint32_t bits = accepting(sign, base, product, own, limit);
        while (bits != 0) {
            const auto j = static_cast<size_t>(std::countr_zero(bits));
            const size_t i = first + j;
            flip_variable(rows, replica, i, flipped);
            const auto was = hn::Set(DEight(), flipped.signs[flipped.count - 1]);
            const Eight cross = load_eight(rows.cross + i * kFactoredEight);
            for (size_t p = 0; p < kEights; ++p)
                product.v[p] = hn::Add(product.v[p], hn::Mul(was, cross.v[p]));
            if (rows.blocks) base = load_eight(replica.base + first);
            bits = accepting(sign, base, product, own, limit) & (~1u << j);
        }
        if (flipped.count > 0) add_to_forms(rows, replica, flipped);
    }
}

#endif

void flip_one(const FactoredRows& rows, FactoredReplica& replica, size_t i) {
    Flipped flipped;
    flip_variable(rows, replica, i, flipped);
    add_to_forms(rows, replica, flipped);
}

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(sweep_window);
HWY_EXPORT(flip_one);

void sweep_factored(const FactoredSweep& task) { HWY_DYNAMIC_DISPATCH(sweep_window)(task); }

void flip_factored(const FactoredRows& rows, FactoredReplica& replica, size_t i) {
    HWY_DYNAMIC_DISPATCH(flip_one)(rows, replica, i);
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
