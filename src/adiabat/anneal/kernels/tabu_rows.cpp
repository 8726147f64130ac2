// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/tabu_rows.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/tabu_rows.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

int64_t pass_any(const TabuPass& pass, int32_t* changes, const int32_t* signs,
                 const int32_t* until) {
#if HWY_TARGET == HWY_SCALAR
    return tabu_pass_naive(pass, changes, signs, until);
#else
    constexpr int32_t kNone = std::numeric_limits<int32_t>::max();
    const hn::ScalableTag<int32_t> d;
    const size_t lanes = hn::Lanes(d), groups = pass.size / 64;
    const auto sign = hn::Set(d, pass.sign), due = hn::Set(d, pass.iteration + 1);
    const auto aspiration = hn::Set(d, pass.aspiration);
    auto lowest = hn::Set(d, kNone), place = hn::Zero(d);
    // `place` is the number of the vector on the way.
    int32_t way = 0;
    for (size_t g = 0; g < groups; ++g) {
        const size_t group =
            pass.first_group + g < groups ? pass.first_group + g : pass.first_group + g - groups;
        for (size_t j = group * 64; j < group * 64 + 64; j += lanes, ++way) {
            auto change = hn::Load(d, changes + j);
            if (pass.row) {
                const auto mask = hn::Xor(hn::Load(d, signs + j), sign);
                const auto value = hn::Xor(hn::Load(d, pass.row + j), mask);
                change = hn::Add(change, hn::Sub(value, mask));
                hn::Store(change, d, changes + j);
            }
            const auto allowed =
                hn::Or(hn::Lt(hn::Load(d, until + j), due), hn::Lt(change, aspiration));
            const auto better = hn::And(allowed, hn::Lt(change, lowest));
            lowest = hn::IfThenElse(better, change, lowest);
            place = hn::IfThenElse(better, hn::Set(d, way), place);
        }
    }
    HWY_ALIGN int32_t values[hwy::kMaxVectorSize / 4], places[hwy::kMaxVectorSize / 4];
    hn::Store(lowest, d, values);
    hn::Store(place, d, places);
    size_t best = 0;
    for (size_t k = 1; k < lanes; ++k) {
        if (values[k] < values[best] || (values[k] == values[best] && places[k] < places[best]))
            best = k;
    }
    if (values[best] == kNone) return -1;
    const size_t at = static_cast<size_t>(places[best]) * lanes + best + pass.first_group * 64;
    return static_cast<int64_t>(at < pass.size ? at : at - pass.size);
#endif
}

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {

HWY_EXPORT(pass_any);

int64_t tabu_pass(const TabuPass& pass, int32_t* changes, const int32_t* signs,
                  const int32_t* until) {
    return HWY_DYNAMIC_DISPATCH(pass_any)(pass, changes, signs, until);
}

int64_t tabu_pass_naive(const TabuPass& pass, int32_t* changes, const int32_t* signs,
                        const int32_t* until) {
    for (size_t j = 0; pass.row && j < pass.size; ++j)
        changes[j] += signs[j] == pass.sign ? pass.row[j] : -pass.row[j];
    int64_t chosen = -1;
    for (size_t k = 0; k < pass.size; ++k) {
        const size_t j = (pass.first_group * 64 + k) % pass.size;
        const bool allowed = until[j] <= pass.iteration || changes[j] < pass.aspiration;
        if (allowed && (chosen < 0 || changes[j] < changes[chosen]))
            chosen = static_cast<int64_t>(j);
    }
    return chosen;
}

}  // namespace adiabat::anneal
#endif
