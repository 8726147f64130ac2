// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/errors.h"

namespace adiabat {

std::string in_one_line(std::string_view text) {
    std::string line;
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            line += "\\n";
        } else if (byte < 0x20 || byte == 0x7F) {
            line += fmt::format("\\x{:02x}", byte);
        } else {
            line += c;
        }
    }
    return line;
}

void fail_check(const char* file, int line, const char* condition, const std::string& what) {
    const std::string_view path = file;
    const size_t cut = path.rfind("adiabat/");
    throw InternalError(fmt::format("{}:{}: {} does not hold: {}",
                                    cut == std::string_view::npos ? path : path.substr(cut), line,
                                    condition, what));
}

}  // namespace adiabat
