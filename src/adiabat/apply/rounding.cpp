// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/rounding.h"

#include "adiabat/base/errors.h"

namespace adiabat::apply {

std::string_view name_of(Rounding rounding) {
    switch (rounding) {
        case Rounding::kNearest:
            return "nearest";
        case Rounding::kOrdered:
            return "ordered";
        case Rounding::kQubo:
            return "qubo";
    }
    ADIABAT_CHECK(false, "rounding {}", static_cast<int>(rounding));
}

Rounding parse_rounding(std::string_view text) {
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kOrdered, Rounding::kQubo}) {
        if (text == name_of(rounding)) return rounding;
    }
    throw InputError("--rounding '{}': expected nearest, ordered or qubo", text);
}

}  // namespace adiabat::apply
