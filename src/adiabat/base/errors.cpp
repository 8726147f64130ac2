// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/errors.h"

#include <string_view>

namespace adiabat {

void fail_check(const char* file, int line, const char* condition, const std::string& what) {
    const std::string_view path = file;
    const size_t cut = path.rfind("adiabat/");
    throw InternalError(fmt::format("{}:{}: {} does not hold: {}",
                                    cut == std::string_view::npos ? path : path.substr(cut), line,
                                    condition, what));
}

}  // namespace adiabat
