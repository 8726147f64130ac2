// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the readers share: lines and words with their places, numbers read exactly, the one form of
// error, sizes bounded by the bytes that are there, and pairs collected into a problem. O(bytes).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/base/huge_pages.h"
#include "adiabat/base/stop.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::qubo::formats {

// The bytes of a file and its name for messages, both borrowed; and what ends reading early.
struct Source {
    std::string_view bytes;
    std::string_view name;
    StopToken stop = {};
    std::optional<uint64_t> memory_limit = {};
    uint64_t size = bytes.size();  // of the whole file

    // Throws Interrupted where a stop was requested.
    void refuse_to_go_on() const {
        if (stop.requested()) throw Interrupted();
    }
    // Throws InputError where the file's bytes, `variables` and `pairs` of them together need more
    // memory than there is for them; a dense matrix counts where they would be one. `held`: bytes
    // that a reader holds a pair while it makes them. `line` is where it is known; 0: nowhere.
    void check_memory(int64_t line, int64_t variables, uint64_t pairs, uint64_t held = 0) const;
    void check_dense_memory(int64_t line, int64_t variables) const;
};

// Asks for a stop at the first step and then every few thousand.
class StopLooks {
  public:
    explicit StopLooks(const Source& source) : stop_(source.stop) {}
    void look() {
        if (--left_ > 0) return;
        left_ = kStepsBetweenLooks;
        if (stop_.requested()) throw Interrupted();
    }

  private:
    static constexpr int kStepsBetweenLooks = 4096;
    StopToken stop_;
    int left_ = 1;
};

// 'word', cut where it is long.
std::string in_quotes(std::string_view word);

// Throws InputError "name:line: found .., expected ..".
[[noreturn]] void fail_at(const Source& source, int64_t line, std::string_view found,
                          std::string_view expected);

// The whole word as a decimal number, the nearest double; nothing for anything else: hexadecimal,
// inf, nan, and sizes beyond kLargestCoefficient or so small that a double does not hold them.
std::optional<double> parse_number(std::string_view word);
std::optional<int64_t> parse_integer(std::string_view word);

// Refuses more variables than `bytes` of a file can be about (kFreeVariables, or 16 a byte) or
// than there may be at all. `line` is where the number stands.
int checked_variables(const Source& source, int64_t line, int64_t variables);

// Goes through the lines that are not blank; "\n" and "\r\n" end a line.
class LineScanner {
  public:
    explicit LineScanner(const Source& source) : source_(source), looks_(source) {}

    // False at the end.
    bool next();
    std::string_view line() const { return line_; }
    // Between spaces and tabs.
    const std::vector<std::string_view>& words() const { return words_; }
    int64_t line_number() const { return number_; }
    const Source& source() const { return source_; }

    // The value where the line is a comment of the mark and "offset=VALUE" and nothing else: how
    // formats without a place for an offset are given one. Other programs see a comment.
    std::optional<double> offset_in_comment(std::string_view mark) const;

    double number(size_t word) const;
    // Within low..high; `what` names it.
    int64_t integer(size_t word, int64_t low, int64_t high, const char* what) const;
    // An error unless the line has so many words; `form` says what they are: "i j value".
    void expect_words(size_t count, std::string_view form) const;
    [[noreturn]] void fail(std::string_view found, std::string_view expected) const {
        fail_at(source_, number_, found, expected);
    }

  private:
    Source source_;
    StopLooks looks_;
    size_t position_ = 0;
    int64_t number_ = 0;
    std::string_view line_;
    std::vector<std::string_view> words_;
};

// Pairs as they stand in a file; i = j is a linear term.
struct Pairs {
    int variables = 0;
    HugeVector<Edge> edges;
    HugeVector<int64_t> lines;  // of each edge, where duplicates are refused
    double offset = 0;
    bool spins = false;

    void reserve(size_t count) {
        edges.reserve(count);
        lines.reserve(count);
    }
    void add(int i, int j, double value, int64_t line) {
        edges.push_back({i, j, value});
        lines.push_back(line);
    }
};

// Refuses a pair that stands there twice, in either order; labels count from `base`.
void refuse_duplicates(const Source& source, const Pairs& pairs, int base);

// Lines from a place on, the last one too where it has no end: room for what they say is reserved.
size_t count_lines(const Source& source, size_t from = 0);

// Pairs of spins are turned into pairs of zeros and ones; of one pair's values the sum counts.
Problem problem_of(const Source& source, Pairs pairs, std::vector<std::string> names = {});

// Throws InputError unless all are different.
void check_names(const Source& source, const std::vector<std::string>& names);

}  // namespace adiabat::qubo::formats
