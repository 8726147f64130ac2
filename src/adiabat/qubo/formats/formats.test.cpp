// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "adiabat/base/errors.h"
#include "adiabat/qubo/formats/random_problem.test.h"

namespace adiabat::qubo {
namespace {

std::vector<uint8_t> random_assignment(int n, Random& random) {
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (auto& value : x) value = random() & 1;
    return x;
}

std::string error_of(std::string_view text, Format format) {
    try {
        read_text(text, format);
    } catch (const InputError& error) {
        return error.what();
    }
    return "nothing is wrong";
}

std::string refusal_of(const Problem& problem, Format format) {
    try {
        write_problem(problem, format);
    } catch (const InputError& error) {
        return error.what();
    }
    return "nothing is wrong";
}

bool is_ising_text(Format format) {
    return format == Format::kRudy || format == Format::kRudyIsing;
}

class EveryFormat : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, testing::ValuesIn(kFormats), [](const auto& each) {
    std::string name = name_of(each.param);
    std::erase(name, '-');
    return name;
});

TEST_P(EveryFormat, GivesTheSameEnergies) {
    for (int k = 0; k < 200; ++k) {
        const int n = k % 23 + (k % 5 == 0 ? 20 : 0);
        const Problem problem =
            fitted(random_problem(n, static_cast<uint64_t>(k), false), GetParam());
        const Problem back = there_and_back(problem, GetParam());
        ASSERT_EQ(back.variables(), n);
        Random random(7, static_cast<uint32_t>(k));
        for (int draw = 0; draw < 10; ++draw) {
            const auto x = random_assignment(n, random);
            EXPECT_NEAR(back.energy(x), problem.energy(x), 1e-11) << k;
        }
    }
}

// Multiples of 1/8: conversion between the views is exact, and so every energy is.
TEST_P(EveryFormat, KeepsExactCoefficientsBitByBit) {
    for (int k = 0; k < 100; ++k) {
        const int n = k % 30;
        const Problem problem =
            fitted(random_problem(n, static_cast<uint64_t>(k), true), GetParam());
        const Problem back = there_and_back(problem, GetParam());
        EXPECT_EQ(sparse_of(back), sparse_of(problem)) << k;
        const bool binary = GetParam() == Format::kQbsolv || GetParam() == Format::kBiqMac ||
                            GetParam() == Format::kLp;
        EXPECT_EQ(back.spins, is_ising_text(GetParam()) || (problem.spins && !binary));
    }
}

TEST(Formats, AnEndingCanContradict) {
    EXPECT_EQ(contradiction_of_ending("a/n.COO", Format::kQbsolv), "a/n.COO: its name says coo");
    EXPECT_EQ(contradiction_of_ending("n.json", Format::kLp), "n.json: its name says json");
    EXPECT_EQ(contradiction_of_ending("n.mc", Format::kBiqMac), "n.mc: its name says rudy");
    for (const auto& [name, format] : {std::pair{"n.coo", Format::kCoo},
                                       {"n.json", Format::kBqmJson},
                                       {"n.txt", Format::kLp},
                                       {"G1.mc", Format::kRudyIsing}}) {
        EXPECT_EQ(contradiction_of_ending(name, format), std::nullopt) << name;
    }
}

TEST_P(EveryFormat, HoldsConstraintsOrRefusesThem) {
    const bool holds = GetParam() == Format::kOwnJson || GetParam() == Format::kLp;
    for (int k = 0; k < 40; ++k) {
        Random random(static_cast<uint64_t>(k), 3);
        Problem problem = fitted(random_problem(8, static_cast<uint64_t>(k), true), GetParam());
        problem.constraints = random_constraints(8, random);
        if (!holds) {
            EXPECT_NE(refusal_of(problem, GetParam()).find("holds no constraints"),
                      std::string::npos);
            continue;
        }
        const Problem back = there_and_back(problem, GetParam());
        int kept = 0;
        for (unsigned word = 0; word < 256; ++word) {
            std::vector<uint8_t> x(8);
            for (unsigned i = 0; i < 8; ++i) x[i] = word >> i & 1;
            EXPECT_EQ(back.constraints.keeps(x), problem.constraints.keeps(x));
            kept += problem.constraints.keeps(x);
        }
        EXPECT_GT(kept, 0);
        EXPECT_LT(kept, 256);
    }
}

// Any format whose reader does not look at the bytes is a reader that crashes one day: every
// prefix, and every byte replaced.
TEST_P(EveryFormat, AnswersDamageWithInputError) {
    Problem problem = fitted(random_problem(5, 11, true), GetParam());
    Random random(5);
    if (refusal_of({Dense(8), random_constraints(8, random)}, GetParam()) == "nothing is wrong")
        problem.constraints = random_constraints(5, random);
    const std::string text = write_problem(problem, GetParam());
    int refused = 0;
    const auto reads = [&](const std::string& damaged) {
        try {
            read_text(damaged, GetParam());
        } catch (const InputError& error) {
            ++refused;
            EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
            EXPECT_TRUE(std::string_view(error.what()).starts_with("file:")) << error.what();
        }
    };
    for (size_t k = 0; k < text.size(); ++k) reads(text.substr(0, k));
    for (size_t k = 0; k < text.size(); ++k) {
        for (const char c : {'\0', ' ', '9', '-', 'x', '"', '\xFF', '\n', '}'}) {
            std::string damaged = text;
            damaged[k] = c;
            reads(damaged);
        }
    }
    EXPECT_GT(refused, static_cast<int>(text.size()));
}

TEST_P(EveryFormat, IsWrittenTheSameAfterReading) {
    const Problem problem = fitted(random_problem(12, 5, true), GetParam());
    const std::string text = write_problem(there_and_back(problem, GetParam()), GetParam());
    EXPECT_EQ(write_problem(read_text(text, GetParam()), GetParam()), text);
}

TEST_P(EveryFormat, TakesTheLineEndsOfOtherSystems) {
    if (GetParam() == Format::kBqmBinary) return;
    const Problem problem = fitted(random_problem(6, 3, true), GetParam());
    std::string text;
    for (const char c : write_problem(problem, GetParam()))
        text += c == '\n' ? "\r\n" : std::string(1, c);
    EXPECT_EQ(sparse_of(read_text(text, GetParam())), sparse_of(problem));
}

TEST_P(EveryFormat, TakesCoefficientsOfAnySize) {
    for (const double size : {1e-300, 5e-324, 1e-60, 1e50, 0.1, 123456789.123456789}) {
        Problem problem{Sparse(3, std::vector<Edge>{{0, 1, size}, {1, 2, -size}})};
        problem.spins = false;
        if (is_ising_text(GetParam())) continue;
        const Problem back = there_and_back(problem, GetParam());
        // Halving and doubling the smallest number is where biqmac ends.
        if (GetParam() == Format::kBiqMac && size < 1e-307) continue;
        EXPECT_EQ(back.coupling(0, 1), size);
        EXPECT_EQ(back.coupling(1, 2), -size);
    }
}

TEST(Formats, AreFoundByEndingAndByContent) {
    const auto detect = [](std::string_view text, std::string_view name) {
        return detect_format({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, name);
    };
    for (const auto& [name, format] :
         {std::pair("a/b.coo", Format::kCoo), std::pair("B.BQM", Format::kBqmBinary),
          std::pair("x.qubo", Format::kQbsolv), std::pair("g.rudy", Format::kRudy),
          std::pair("g.mc", Format::kRudy), std::pair("x.sparse", Format::kBiqMac),
          std::pair("x.lp", Format::kLp), std::pair("x.json", Format::kBqmJson)})
        EXPECT_EQ(detect("anything", name), format);
    for (const Format format : kFormats) {
        const Problem problem = fitted(random_problem(4, 2, true), format);
        const bool counted =
            format == Format::kBiqMac || format == Format::kRudy || format == Format::kRudyIsing;
        if (counted) {
            EXPECT_THROW(detect(write_problem(problem, format), "file"), InputError);
        } else {
            EXPECT_EQ(detect(write_problem(problem, format), "file"), format);
        }
        EXPECT_EQ(format_of_name(name_of(format)), format);
    }
    EXPECT_EQ(detect(write_problem(Problem{Dense(2)}, Format::kOwnJson), "x.json"),
              Format::kOwnJson);
    EXPECT_EQ(format_names().size(), std::size(kFormats));
}

TEST(Formats, SayWhatIsNotDetected) {
    const auto message = [](std::string_view text) -> std::string {
        try {
            detect_format({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "file");
        } catch (const InputError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_EQ(
        message("\n3 2\n1 2 1\n"),
        "file:2: found '3 2', as rudy, rudy-ising and biqmac begin, expected the format to be "
        "named");
    EXPECT_EQ(message("hello\n"),
              "file:1: found 'hello', expected a format that is known, or named");
    EXPECT_EQ(message(""), "file:1: found nothing, expected a problem");
    EXPECT_THROW(format_of_name("xml"), InputError);
}

TEST(Formats, FilesAreWrittenByTheirEnding) {
    const auto path = std::filesystem::temp_directory_path() / "adiabat_formats_test.qubo";
    const Problem problem = random_problem(6, 4, true);
    write_problem(problem, path);
    EXPECT_EQ(sparse_of(read_problem(path)), sparse_of(problem));
    std::filesystem::remove(path);
    EXPECT_THROW(read_problem(path), InputError);
    EXPECT_THROW(write_problem(problem, std::filesystem::path("nowhere.xyz")), InputError);
}

TEST(Formats, OwnJsonKeepsEverything) {
    for (int k = 0; k < 100; ++k) {
        Problem problem = random_problem(k % 30, static_cast<uint64_t>(k), false);
        Random random(static_cast<uint64_t>(k), 4);
        problem.constraints = random_constraints(k % 30, random);
        for (int i = 0; k % 2 == 1 && i < problem.variables(); ++i)
            problem.names.push_back(fmt::format("\"\\\t\u00e9 {}", i));
        EXPECT_TRUE(there_and_back(problem, Format::kOwnJson) == problem) << k;
    }
}

// What the reader takes and the writer gives in another way.
TEST(Formats, OwnJsonTakesFactorsInEveryWay) {
    const Problem problem = read_text(R"({"format": "adiabat-qubo", "version": 1,
        "form": "factored", "variables": 3, "offset": 1, "linear": [1, -2, 0.5],
        "blocks": [{"first": 1, "size": 2, "values": [3, 0.5, 0.5, -1]}],
        "low_rank": [{"u": [1, 0, 2, -1, 0, 1], "s": [2, 1, 1, 3]}],
        "squares": [{"weight": 0.5, "constant": -2, "terms": [[0, 1], [2, 1], [0, 1]]}],
        "weights": [-1], "constants": [1], "columns": [1, 0, 2]})",
                                      Format::kOwnJson);
    for (unsigned word = 0; word < 8; ++word) {
        const double a = word & 1, b = word >> 1 & 1, c = word >> 2 & 1;
        const double u = a + 2 * b, v = c - b;
        const double expected =
            1 + a - 2 * b + 0.5 * c + 3 * b + b * c - c + (2 * u * u + 2 * u * v + 3 * v * v) +
            0.5 * (2 * a + c - 2) * (2 * a + c - 2) - (1 + a + 2 * c) * (1 + a + 2 * c);
        const std::vector<uint8_t> x{static_cast<uint8_t>(a), static_cast<uint8_t>(b),
                                     static_cast<uint8_t>(c)};
        EXPECT_NEAR(problem.energy(x), expected, 1e-12);
    }
    EXPECT_EQ(problem.form_name(), std::string("factored"));
}

TEST(Formats, NamesGoThroughFormatsThatHaveThem) {
    Problem problem = random_problem(3, 6, true);
    problem.names = {"b", "a", "17"};
    for (const Format format : {Format::kBqmJson, Format::kBqmBinary, Format::kOwnJson})
        EXPECT_EQ(there_and_back(problem, format).names, problem.names) << name_of(format);
    EXPECT_TRUE(there_and_back(problem, Format::kCoo).names.empty());
    EXPECT_EQ(refusal_of(problem, Format::kLp).substr(0, 46),
              "lp cannot hold the name '17' of variable 2: ex");
    problem.names = {"3", "17", "9007199254740993"};
    EXPECT_EQ(there_and_back(problem, Format::kCoo).names, problem.names);
    EXPECT_EQ(there_and_back(problem, Format::kLp).names,
              (std::vector<std::string>{"x3", "x17", "x9007199254740993"}));
    problem.names = {"End", "x", "y"};
    EXPECT_EQ(refusal_of(problem, Format::kLp).substr(0, 30), "lp cannot hold the name 'End' ");
    problem.names = {"\xff", "x", "y"};
    EXPECT_EQ(refusal_of(problem, Format::kOwnJson).substr(0, 9), "the name ");
}

TEST(Formats, RudyRefusesFields) {
    EXPECT_EQ(refusal_of({Sparse(2, std::vector<Edge>{{0, 1, 4}})}, Format::kRudy),
              "rudy holds couplings of spins alone, variable 0 has a field of 1: expected another "
              "format");
}

TEST(Formats, FactoredProblemsTooLargeForPairsAreRefused) {
    EXPECT_EQ(refusal_of({Factored(40000)}, Format::kCoo),
              "a factored problem of 40000 variables is too large for a format of pairs (up to "
              "32768): expected json");
}

// A file of a few bytes must not make anyone allocate.
TEST(Formats, HeadersThatPromiseTooMuchAreRefused) {
    EXPECT_EQ(error_of("1000000000000000000 1\n1 2 1\n", Format::kRudy),
              "file:1: found 1000000000000000000 variables, expected 0 to 100,000 in a file of 28 "
              "B");
    EXPECT_EQ(error_of("p qubo 0 100001 0 0\n", Format::kQbsolv),
              "file:1: found 100001 variables, expected 0 to 100,000 in a file of 20 B");
    EXPECT_EQ(error_of("3 4611686018427387904\n1 2 1\n", Format::kBiqMac),
              "file:3: found the end of the file, expected 4611686018427387904 lines i j value, 1 "
              "were there");
    EXPECT_EQ(error_of(R"({"format": "adiabat-qubo", "version": 1, "form": "dense",
                           "variables": 90000, "couplings": []})",
                       Format::kOwnJson),
              "file:2: found 0 rows of couplings, expected 90000");
    const std::string promise = std::string("DIMODBQM\2\0", 10);
    const std::string header =
        R"({"dtype": "float64", "itype": "int32", "ntype": "int32", "shape": [99999999, 1],)"
        R"( "type": "BinaryQuadraticModel", "variables": false, "vartype": "SPIN"})";
    std::string length(4, '\0');
    length[0] = static_cast<char>(header.size());
    EXPECT_EQ(error_of(promise + length + header + std::string(24, '\0'), Format::kBqmBinary),
              "file: byte 165: found 24 more bytes, expected the 99999999 variables of the header");
}

TEST(Formats, ErrorsSayWhereAndWhat) {
    const std::pair<const char*, const char*> coo[] = {
        {"0 1 2 3\n", "file:1: found '0 1 2 3', expected i j value"},
        {"0 0 1\n\n0 x 1", "file:3: found 'x', expected a label, 0 to 9223372036854775807"},
        {"0 -1 1", "file:1: found '-1', expected a label, 0 to 9223372036854775807"},
        {"0 1 nan", "file:1: found 'nan', expected a number of at most 1e60 in size"},
        {"0 1 inf", "file:1: found 'inf', expected a number of at most 1e60 in size"},
        {"0 1 1e61", "file:1: found '1e61', expected a number of at most 1e60 in size"},
        {"0 1 0x10", "file:1: found '0x10', expected a number of at most 1e60 in size"},
        {"0 1 1e-400", "file:1: found '1e-400', expected a number of at most 1e60 in size"},
        {"# vartype=INTEGER", "file:1: found vartype 'INTEGER', expected SPIN or BINARY"},
        {"# vartype=SPIN\n# vartype=BINARY",
         "file:2: found vartype BINARY, expected SPIN, as said before"},
        {"# offset=z", "file:1: found 'offset=z', expected offset=NUMBER, at most 1e60 in size"}};
    for (const auto& [text, message] : coo) EXPECT_EQ(error_of(text, Format::kCoo), message);
    const std::pair<const char*, const char*> qbsolv[] = {
        {"", "file:1: found the end of the file, expected p qubo 0 maxNodes nNodes nCouplers"},
        {"p qubo chimera128 2 0 0",
         "file:1: found topology 'chimera128', expected 0 or unconstrained"},
        {"p qubo 0 2 3 0", "file:1: found '3', expected nNodes, 0 to 2"},
        {"p qubo 0 2 1 0\n0 1 2",
         "file:2: found '0 1 2', expected 1 lines i i value, 0 were there"},
        {"p qubo 0 2 2 0\n0 0 2\n0 0 1",
         "file:3: found a second value of 0 0 (the first is in line 2), expected each pair once"},
        {"p qubo 0 2 1 1\n0 0 2\n0 1 1",
         "file:3: found node 1, expected a node that has its own line"},
        {"p qubo 0 2 2 1\n0 0 2\n1 1 1\n1 0 1",
         "file:4: found '1 0 1', expected 1 lines i j value with i < j, 0 were there"},
        {"p qubo 0 2 1 0\n0 0 2\n1 1 2",
         "file:3: found '1 1 2', expected the end of the file: all couplers were there"},
        {"p qubo 0 0 0 1\n0 1 1", "file:2: found '0', expected nothing: there are no variables"}};
    for (const auto& [text, message] : qbsolv) EXPECT_EQ(error_of(text, Format::kQbsolv), message);
    const std::pair<const char*, const char*> rudy[] = {
        {"2 1\n1 1 3", "file:2: found '1 1 3', expected two different variables"},
        {"2 1\n0 1 3", "file:2: found '0', expected a variable, 1 to 2"},
        {"2 2\n1 2 3\n2 1 3",
         "file:3: found a second value of 2 1 (the first is in line 2), expected each pair once"},
        {"2 1\n1 2 3\nmore",
         "file:3: found 'more', expected the end of the file: all lines were there"},
        {"2\n", "file:1: found '2', expected a line n m"},
        {"-2 0\n", "file:1: found '-2', expected a number of variables, 0 to 4611686018427387904"}};
    for (const auto& [text, message] : rudy) EXPECT_EQ(error_of(text, Format::kRudy), message);
}

TEST(Formats, ErrorsInJsonSayWhereAndWhat) {
    const std::string head = R"({"format": "adiabat-qubo", "version": 1, "form": "sparse",
"variables": 2, "edges": )";
    const std::pair<std::string, const char*> cases[] = {
        {"", "file:1: found the end of the file, expected a value"},
        {"[1, 2", "file:1: found the end of the file, expected ',' or ']'"},
        {"{\"format\"", "file:1: found the end of the file, expected ':'"},
        {"{} x", "file:1: found 'x', expected the end of the file"},
        {"{}", "file:1: found an object without \"format\", expected that member"},
        {head + "[]", "file:2: found the end of the file, expected ',' or '}'"},
        {head + "[[0, 1]]}", "file:2: found 2 values of an edge [i, j, value], expected 3"},
        {head + "[[0, 2, 1]]}", "file:2: found '2', expected a variable, 0 to 1"},
        {head + "[[0, 1.5, 1]]}", "file:2: found '1.5', expected a variable, 0 to 1"},
        {head + "[[0, 0, 1]]}",
         "file:2: found variable 0 with itself, expected two different variables"},
        {head + "[[0, 1, NaN]]}", "file:2: found 'NaN', expected a value"},
        {head + "[[0, 1, 1e999]]}",
         "file:2: found '1e999', expected a number of at most 1e60 in size"},
        {head + "[[0, 1, 01]]}", "file:2: found '01', expected a number without zeros in front"},
        {head + "[],\n\"edges\": []}", "file:3: found member '\"edges\"' again, expected it once"},
        {head + "[],\n\"couplings\": []}",
         "file:3: found \"couplings\" in a sparse problem, expected it in a dense one"},
        {head + "[],\n\"names\": [\"a\", \"a\"]}",
         "file: two variables have the name 'a', expected different names"},
        {head + "[],\n\"names\": [\"\\ud800\", \"a\"]}",
         "file:3: found '\\ud800', expected an escape of JSON"},
        {head + "[],\n\"names\": [\"\xff\", \"a\"]}",
         "file:3: found byte 0xff in a string, expected UTF-8"},
        {head + "[],\n\"linear\": [1]}", "file:3: found 1 linear terms, expected 2"},
        {head + "[],\n\"fixed\": [[0, 2]]}", "file:3: found '2', expected a value, 0 to 1"},
        {head + "[],\n\"groups\": [{\"members\": [0, 0], \"exactly_one\": true}]}",
         "file: group 0 names variable 0 twice"},
        {head + "[],\n\"offset\": null}", "file:3: found 'null', expected a number"}};
    for (const auto& [text, message] : cases) EXPECT_EQ(error_of(text, Format::kOwnJson), message);
    const std::string factored = R"({"format": "adiabat-qubo", "version": 1, "form": "factored",
"variables": 2, )";
    const std::pair<std::string, const char*> parts[] = {
        {"\"blocks\": [{\"first\": 0, \"size\": 2, \"values\": [1, 2, 3, 4]}]}",
         "file:2: a block is not symmetric: 3 at 1, 0 and 2 at 0, 1"},
        {"\"blocks\": [{\"first\": 1, \"size\": 2, \"values\": []}]}",
         "file:2: found '2', expected a size, 1 to 1"},
        {"\"low_rank\": [{\"u\": [1], \"s\": [1]}]}",
         "file:2: a low-rank term of 1 x 1 values: expected n x r and r x r, n = 2"},
        {"\"low_rank\": [{\"u\": [null], \"s\": [1]}]}", "file:2: found 'null', expected a number"},
        {"\"weights\": [1]}",
         "file:2: found \"weights\" without \"columns\", expected all three of them or none"},
        {"\"weights\": [1], \"constants\": [0],\n\"columns\": [1]}",
         "file:3: found 1 values, variables x weights, expected 2"},
        {"\"squares\": [{\"weight\": 1, \"terms\": [[2, 1]]}]}",
         "file:2: found '2', expected a variable, 0 to 1"}};
    for (const auto& [text, message] : parts)
        EXPECT_EQ(error_of(factored + text, Format::kOwnJson), message);
    const std::string nested(100, '[');
    EXPECT_EQ(error_of(nested, Format::kOwnJson), "file:1: found '" + std::string(40, '[') +
                                                      "...', expected arrays in at most 32 levels");
    EXPECT_EQ(error_of("{\"foo\": 1}", Format::kBqmJson).substr(0, 60),
              "file:1: found member '\"foo\"', expected one of type, version,");
}

}  // namespace
}  // namespace adiabat::qubo
