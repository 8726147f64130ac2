// SPDX-License-Identifier: Apache-2.0
//
// What ends reading early: a stop, and too little memory.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "adiabat/qubo/formats/json_text.h"
#include "adiabat/qubo/formats/promised.h"
#include "adiabat/qubo/formats/random_problem.test.h"

namespace adiabat::qubo {
namespace {

ReadOptions stopped() {
    StopSource source;
    source.request();
    ReadOptions options;
    options.stop = source.token();
    return options;
}

std::string refusal(std::string_view text, Format format, uint64_t memory) {
    ReadOptions options;
    options.memory_limit = memory;
    try {
        read_text(text, format, "file", options);
    } catch (const InputError& error) {
        return error.what();
    }
    return "nothing is wrong";
}

// Deleted at the end.
class File {
  public:
    explicit File(std::string_view text)
        : path_(std::filesystem::path(::testing::TempDir()) / "adiabat_limits.problem") {
        std::ofstream(path_, std::ios::binary) << text;
    }
    ~File() { std::filesystem::remove(path_); }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

TEST(Reading, EndsWhereAStopWasRequested) {
    for (const Format format : kFormats) {
        const std::string text = write_problem(fitted(random_problem(12, 3, true), format), format);
        EXPECT_THROW(read_text(text, format, "file", stopped()), Interrupted) << name_of(format);
        const File file(text);
        EXPECT_THROW(read_problem(file.path(), format, stopped()), Interrupted) << name_of(format);
    }
}

TEST(Reading, LooksAgainAfterSomeSteps) {
    StopSource source;
    const formats::Source file{"", "file", source.token()};
    formats::StopLooks looks(file);
    looks.look();
    source.request();
    int steps = 0;
    EXPECT_THROW(for (; steps < 1'000'000; ++steps) looks.look(), Interrupted);
    EXPECT_GT(steps, 100);  // not at every one
    EXPECT_LT(steps, 10'000);
}

TEST(Reading, OfMatricesEndsWhereAStopWasRequested) {
    StopSource source;
    source.request();
    std::vector<Edge> edges(100'000, Edge{0, 1, 1.0});
    EXPECT_THROW(Sparse(2, edges, {}, 0, source.token()), Interrupted);
    EXPECT_EQ(Sparse(2, edges).coupling(0, 1), 100'000);
}

// In every format the size in memory is known before the matrix is made, and the limit that is
// named is enough.
TEST(Reading, RefusesWhatItCannotHold) {
    for (const Format format : kFormats) {
        const std::string text =
            write_problem(fitted({random_problem(60, 4, true).form}, format), format);
        const std::string message = refusal(text, format, 100);
        if (format == Format::kOwnJson && text.find("\"dense\"") == std::string::npos) {
            EXPECT_EQ(message, "nothing is wrong");
            continue;
        }
        EXPECT_TRUE(message.starts_with("file:")) << message;
        EXPECT_NE(message.find("of memory, expected 100 B at most"), std::string::npos) << message;
        EXPECT_EQ(refusal(text, format, 1'000'000), "nothing is wrong");
    }
    EXPECT_EQ(refusal(R"({"format": "adiabat-qubo", "version": 1, "form": "dense",
"variables": 16384, "couplings": []})",
                      Format::kOwnJson, 1'000'000'000),
              "file:2: found a dense problem of 16,384 variables, which needs 2.15 GB of memory, "
              "expected 1.00 GB at most");
}

// The beginning of a file is enough: what follows is nonsense that would be refused otherwise.
TEST(Reading, RefusesFromTheBeginningOfAFile) {
    const std::string nonsense(100'000, '?');
    const std::pair<Format, std::string> beginnings[] = {
        {Format::kOwnJson,
         R"({"format": "adiabat-qubo", "form": "dense", "variables": 16384, "couplings": [[)"},
        {Format::kBqmJson, R"({"num_variables": 16384, "num_interactions": 134209536, "a": [)"},
        {Format::kQbsolv, "c a comment\np qubo 0 16384 16384 134209536\n"},
        {Format::kRudy, "# a comment\n16384 134209536\n"},
        {Format::kRudyIsing, "16384 134209536\n"},
        {Format::kBiqMac, "16384 134209536\n"},
        {Format::kBqmBinary, std::string("DIMODBQM\2\0\0\0\0\0", 14) +
                                 R"({"shape": [16384, 134209536], "type": "x"} )"}};
    for (const auto& [format, beginning] : beginnings) {
        const File file(beginning + nonsense);
        ReadOptions options;
        // There are no more pairs than bytes: this file is small.
        options.memory_limit = format == Format::kOwnJson ? 1'000'000'000 : 1'000'000;
        try {
            read_problem(file.path(), format, options);
            ADD_FAILURE() << name_of(format);
        } catch (const InputError& error) {
            const std::string message = error.what();
            EXPECT_NE(message.find("16,384 variables"), std::string::npos) << message;
            EXPECT_NE(message.find("B of memory, expected 1.00 "), std::string::npos) << message;
        }
    }
}

TEST(Promised, IsWhatTheReadersFind) {
    for (const Format format : kFormats) {
        const Problem problem = fitted({random_problem(40, 6, true).form}, format);
        const std::string text = write_problem(problem, format);
        const auto promise = formats::promised({text, "file"}, format);
        const bool none =
            format == Format::kCoo || format == Format::kLp ||
            (format == Format::kOwnJson && problem.form_name() != std::string("dense"));
        EXPECT_EQ(promise.has_value(), !none) << name_of(format);
        if (!promise) continue;
        EXPECT_EQ(promise->variables, 40) << name_of(format);
    }
}

TEST(Promised, IsNothingWhereTheBeginningIsOdd) {
    using formats::promised;
    for (const char* const text :
         {"", "{", R"({"form": "dense", "variables": 16)",
          R"({"a": {"form": "dense", "variables": 1}} )", R"({"variables": "9", "form": "dense"} )",
          R"(["form": "dense", "variables)", R"({"form": "sparse", "variables": 9} )",
          R"({"variables": -9, "form": "dense"} )"})
        EXPECT_FALSE(promised({text, "file"}, Format::kOwnJson)) << text;
    EXPECT_FALSE(promised({"12", "file"}, Format::kRudy));
    EXPECT_FALSE(promised({"DIMODBQM", "file"}, Format::kBqmBinary));
}

// Arrays of numbers alone are kept as text: what is read is what stands there, element by element.
TEST(JsonText, ReadsArraysOfNumbersLikeOthers) {
    using namespace formats;
    const Source source{"[ [1,-2.5 , 3e2\t,\n0.125] ,[], [7], [1, 2, \"x\", 3], [ -1 ] ]", "file"};
    const JsonText text(source);
    std::vector<std::vector<std::string>> raw;
    std::vector<std::vector<double>> values;
    text.root().for_each([&](const JsonValue& array) {
        auto& row = raw.emplace_back();
        array.for_each([&](const JsonValue& value) { row.emplace_back(value.raw()); });
        EXPECT_EQ(array.size(), row.size());
        if (row.size() == 4 && row[2] == "\"x\"") return;
        values.push_back(array.numbers());
    });
    const std::vector<std::vector<std::string>> expected = {
        {"1", "-2.5", "3e2", "0.125"}, {}, {"7"}, {"1", "2", "\"x\"", "3"}, {"-1"}};
    EXPECT_EQ(raw, expected);
    const std::vector<std::vector<double>> numbers = {{1, -2.5, 300, 0.125}, {}, {7}, {-1}};
    EXPECT_EQ(values, numbers);
}

TEST(JsonText, NamesTheLineOfANumberInAnArray) {
    using namespace formats;
    const Source source{"[1,\n 2,\n 3.5]", "file"};
    const JsonText text(source);
    try {
        text.root().for_each([](const JsonValue& value) { value.integer(0, 9, "a digit"); });
        FAIL();
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(), "file:3: found '3.5', expected a digit, 0 to 9");
    }
}

// More digits than any double has, and sizes at the edge.
TEST(JsonText, TakesAndRefusesLongNumbers) {
    using namespace formats;
    const auto sum = [](const std::string& digits) {
        const std::string text = "[" + digits + "]";
        const JsonText json({text, "file"});
        return json.root().numbers().at(0);
    };
    EXPECT_EQ(sum("1" + std::string(49, '0')), 1e49);
    EXPECT_EQ(sum("1" + std::string(60, '0')), 1e60);
    EXPECT_EQ(sum("0." + std::string(100, '0') + "1"), 1e-101);
    EXPECT_EQ(sum("999999999999999"), 999999999999999.0);
    EXPECT_EQ(sum("9007199254740993"), 9007199254740992.0);
    EXPECT_TRUE(std::signbit(sum("-0")));
    EXPECT_EQ(sum("-12E1"), -120);
    EXPECT_EQ(sum("123456789012345.5"), 123456789012345.5);
    EXPECT_THROW(sum("1" + std::string(61, '0')), InputError);
    EXPECT_THROW(sum("1e61"), InputError);
    EXPECT_THROW(sum("1e-400"), InputError);
    EXPECT_THROW(sum("01"), InputError);
    EXPECT_THROW(sum("1."), InputError);
    EXPECT_THROW(sum("+1"), InputError);
}

}  // namespace
}  // namespace adiabat::qubo
