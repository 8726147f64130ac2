// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/counted.h"

#include <algorithm>

namespace adiabat::qubo::formats {

Pairs read_counted(const Source& source, bool diagonal) {
    Pairs pairs;
    LineScanner scanner(source);
    bool there = scanner.next();
    for (; there && scanner.words()[0].starts_with('#'); there = scanner.next()) {
        if (const auto offset = scanner.offset_in_comment("#")) pairs.offset += *offset;
    }
    if (!there) scanner.fail("the end of the file", "a line n m");
    scanner.expect_words(2, "a line n m");
    constexpr int64_t kMost = int64_t{1} << 62;
    pairs.variables = checked_variables(source, scanner.line_number(),
                                        scanner.integer(0, 0, kMost, "a number of variables"));
    const int64_t entries = scanner.integer(1, 0, kMost, "a number of lines i j value");
    source.check_memory(scanner.line_number(), pairs.variables, static_cast<uint64_t>(entries),
                        sizeof(Edge) + sizeof(int64_t));
    pairs.reserve(std::min(static_cast<size_t>(entries), count_lines(source)));
    for (int64_t k = 0; k < entries; ++k) {
        if (!scanner.next()) {
            scanner.fail("the end of the file",
                         fmt::format("{} lines i j value, {} were there", entries, k));
        }
        scanner.expect_words(3, "i j value");
        const auto i = static_cast<int>(scanner.integer(0, 1, pairs.variables, "a variable"));
        const auto j = static_cast<int>(scanner.integer(1, 1, pairs.variables, "a variable"));
        if (i == j && !diagonal) scanner.fail(in_quotes(scanner.line()), "two different variables");
        pairs.add(i - 1, j - 1, scanner.number(2), scanner.line_number());
    }
    if (scanner.next())
        scanner.fail(in_quotes(scanner.line()), "the end of the file: all lines were there");
    refuse_duplicates(source, pairs, 1);
    return pairs;
}

std::string counted_header(int variables, size_t entries, double offset) {
    std::string text;
    if (offset != 0) append_all(text, "# offset=", offset, "\n");
    append_all(text, variables, " ", std::to_string(entries), "\n");
    return text;
}

}  // namespace adiabat::qubo::formats
