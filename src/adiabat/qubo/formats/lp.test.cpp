// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/qubo/formats/lp_tokens.h"
#include "adiabat/qubo/formats/random_problem.test.h"

namespace adiabat::qubo {
namespace {

Problem read(const std::string& text) { return read_text(text, Format::kLp, "p.lp"); }

TEST(Lp, ReadsWhatItSays) {
    const Problem problem = read(R"(\ a comment
MAXIMIZE
 value: 2 a - b + [ a * b - 3 c ^ 2 + 4 c * a ]/2 + 5
Subject To
 pick: a + b + c = 1
 a + c <= 1
 weight: 2 a + 3.5 b >= 1
 -1 <= a - b <= 1
 3 <= 4 d + e
 5 >= d
Bounds
 d = 1
 e <= 0
 0 <= a <= 1
Binaries
 c a b
 d e
End
)");
    EXPECT_EQ(problem.names, (std::vector<std::string>{"c", "a", "b", "d", "e"}));
    EXPECT_EQ(problem.offset(), -5);
    EXPECT_EQ(problem.linear(0), 1.5);  // c
    EXPECT_EQ(problem.linear(1), -2);
    EXPECT_EQ(problem.linear(2), 1);
    EXPECT_EQ(problem.coupling(1, 2), -0.5);
    EXPECT_EQ(problem.coupling(0, 1), -2);
    const Constraints& constraints = problem.constraints;
    ASSERT_EQ(constraints.groups.size(), 2u);
    EXPECT_EQ(constraints.groups[0], (Group{{1, 2, 0}, true, "pick"}));
    EXPECT_EQ(constraints.groups[1], (Group{{1, 0}, false, ""}));
    const double infinity = std::numeric_limits<double>::infinity();
    ASSERT_EQ(constraints.budgets.size(), 4u);
    EXPECT_EQ(constraints.budgets[0], (LinearBudget{{{1, 2}, {2, 3.5}}, 1, infinity, "weight"}));
    EXPECT_EQ(constraints.budgets[1], (LinearBudget{{{1, 1}, {2, -1}}, -1, 1, ""}));
    EXPECT_EQ(constraints.budgets[2], (LinearBudget{{{3, 4}, {4, 1}}, 3, infinity, ""}));
    EXPECT_EQ(constraints.budgets[3], (LinearBudget{{{3, 1}}, -infinity, 5, ""}));
    EXPECT_EQ(constraints.fixed, (std::vector<Fixed>{{3, 1}, {4, 0}}));
}

TEST(Lp, AddsUpTermsOfOneVariable) {
    const Problem problem = read(
        "min\n x + x + [ x * x + x ^ 2 ] / 2\nst\n c: x + y - x <= 1\n"
        "bin\n x y\nend");
    EXPECT_EQ(problem.linear(0), 3);
    EXPECT_EQ(problem.constraints.groups, (std::vector<Group>{{{1}, false, "c"}}));
}

TEST(Lp, MayHaveNoObjective) {
    EXPECT_EQ(read("Subject To\nBounds\nBinary\nGeneral\nEnd").variables(), 0);
    EXPECT_EQ(read("Minimize\n obj:\nBinary\n x\nEnd\n").variables(), 1);
}

TEST(Lp, ErrorsSayWhereAndWhat) {
    const std::pair<const char*, const char*> cases[] = {
        {"", "p.lp:1: found the end of the file, expected Minimize, Maximize or Subject To"},
        {"Minimize\n x\nBinary\n x\n",
         "p.lp:5: found the end of the file, expected Minimize, Maximize or Subject To"},
        {"Minimize\n x\nBinary\n y\nEnd", "p.lp:2: found 'x', expected it in the Binary section"},
        {"Minimize\n x\nGeneral\n x\nEnd",
         "p.lp:4: found 'x', expected binary variables only, no integers"},
        {"Minimize\n 2x\n", "p.lp:2: found '2x', expected a number of at most 1e60 in size"},
        {"Minimize\n 2 x y\n", "p.lp:2: found 'y', expected Minimize, Maximize or Subject To"},
        {"Minimize\n x +\nBinary\n", "p.lp:3: found 'Binary', expected a term of the objective"},
        {"Minimize\n [ x * y ]\nEnd", "p.lp:3: found 'End', expected '/ 2' behind the brackets"},
        {"Minimize\n [ x ] / 2\nEnd", "p.lp:2: found ']', expected '*' or '^'"},
        {"Minimize\n [ x ^ 3 ] / 2\nEnd", "p.lp:2: found '3', expected 2, the only exponent"},
        {"Minimize\n x\nSubject To\n c: [ x * y ] / 2 <= 1\nEnd",
         "p.lp:4: found products in a constraint, expected a linear constraint"},
        {"Minimize\n x\nSubject To\n x + 1 <= 1\nEnd",
         "p.lp:4: found a constant beside variables, expected variables on one side, a number on "
         "the other"},
        {"Minimize\n x\nSubject To\n x y <= 1\nEnd",
         "p.lp:4: found 'y', expected '<=', '>=' or '='"},
        {"Minimize\n x\nSubject To\n x <= y\nEnd", "p.lp:4: found 'y', expected a number"},
        {"Minimize\n x\nSubject To\n 1 <= x >= 2\nEnd",
         "p.lp:4: found '>' behind '<', expected a range, lower <= terms <= upper"},
        {"Minimize\n x\nSubject To\n 3 <= x <= 2\nEnd",
         "p.lp:4: found a range from 3 to 2, expected an interval"},
        {"Minimize\n x\nSubject To\n c: 2 x >= 3\nBinary\n x\nEnd",
         "p.lp: budget 'c' is from 3 to inf: its sum can be 0 to 2 only"},
        {"Minimize\n x\nSubject Two\n", "p.lp:3: found 'Subject', expected 'to' behind it"},
        {"Minimize\n x\nBounds\n 0.2 <= x <= 0.8\nBinary\n x\nEnd",
         "p.lp:4: found bounds of 'x' that leave neither 0 nor 1, expected 0 or 1 between them"},
        {"Minimize\n x\nBinary\n x x\nEnd", "p.lp:4: found 'x', expected each variable once"},
        {"Minimize\n x\nBinary\n x\nEnd\n x", "p.lp:6: found 'x', expected the end of the file"},
        {"Minimize\n x\nMinimize\n y\nEnd",
         "p.lp:3: found 'Minimize', expected Subject To, Bounds, Binary or End"},
        {"Minimize\n x\nSOS1\n y\nEnd",
         "p.lp:3: found 'SOS1', expected Subject To, Bounds, Binary or End"},
        {"Minimize\n x | y\n", "p.lp:2: found '|', expected a name, a number or an operator"},
        {"Minimize\n \x80\n", "p.lp:2: found byte 0x80, expected a name, a number or an operator"}};
    for (const auto& [text, message] : cases) {
        std::string found = "nothing is wrong";
        try {
            read(text);
        } catch (const InputError& error) {
            found = error.what();
        }
        EXPECT_EQ(found, message);
    }
}

TEST(Lp, NamesThatItHolds) {
    using formats::is_lp_name;
    for (const char* name : {"x", "edge", "a(1,2)", "_", "x.5", "E_3", "minimum_cut"})
        EXPECT_TRUE(is_lp_name(name)) << name;
    for (const char* name : {"", "1x", ".x", "e", "E5", "ee", "a b", "a-b", "End", "st", "Free",
                             "INF", "s.t.", "a\xe9"})
        EXPECT_FALSE(is_lp_name(name)) << name;
    EXPECT_FALSE(is_lp_name(std::string(256, 'x')));
}

TEST(Lp, LinesAreShort) {
    Problem problem = random_problem(40, 1, false);
    const std::string text = write_problem(problem, Format::kLp);
    size_t longest = 0, begin = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        longest = std::max(longest, end - begin);
        begin = end + 1;
    }
    EXPECT_LE(longest, 88u);
    EXPECT_EQ(text.find("e+"), std::string::npos);
}

}  // namespace
}  // namespace adiabat::qubo
