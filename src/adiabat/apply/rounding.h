// SPDX-License-Identifier: Apache-2.0
#pragma once

// The ways in which weights become codes (layer_rounding.h carries them out).
//
//   nearest   each weight by itself, at the scale of least error in the weights (recon/rounding.h)
//   ordered   one column after another, the error made good by those behind
//             (recon/ordered_rounding.h)
//   qubo      from there on all weights of a filter at once, annealed (rounding_qubo.h), where that
//             holds on images that it did not see

#include <string_view>

namespace adiabat::apply {

enum class Rounding { kNearest, kOrdered, kQubo };
std::string_view name_of(Rounding rounding);
// Throws InputError for what is none.
Rounding parse_rounding(std::string_view text);

}  // namespace adiabat::apply
