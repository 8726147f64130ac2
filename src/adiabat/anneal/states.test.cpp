// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/states.h"

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {
namespace {

using States = std::vector<std::vector<uint8_t>>;

// The message of what parsing throws.
template <typename Parse>
std::string refusal(Parse&& parse) {
    try {
        parse();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

TEST(States, AreReadAsTheyAreWritten) {
    const States states = {{0, 1, 1}, {1, 0, 0}};
    EXPECT_EQ(parse_states(bits_of(states[0]) + "\n" + bits_of(states[1]), 3, "f"), states);
    EXPECT_EQ(parse_states("# two\n\n0 1 1\r\n  1,0,0\n\n", 3, "f"), states);
}

TEST(States, ThatAreNoneAreRefusedWithTheirLine) {
    EXPECT_EQ(refusal([] { parse_states("011\n0111\n", 3, "f"); }),
              "f:2: 4 values: the problem has 3 variables");
    EXPECT_EQ(refusal([] { parse_states("\n021\n", 3, "f"); }), "f:2: '2': expected 0 or 1");
    EXPECT_EQ(refusal([] { parse_states("# none\n", 3, "f"); }),
              "f: no states: expected lines of 0 and 1");
}

TEST(States, ComeFromADocument) {
    const Json document = {{"solutions", {{{"x", "01"}}, {{"x", "11"}}}}};
    EXPECT_EQ(states_of(document, 2, "f"), (States{{0, 1}, {1, 1}}));
    EXPECT_NE(refusal([&] { states_of(document, 3, "f"); }).find("solution 0: 2 values"),
              std::string::npos);
    for (const Json& bad : {Json(3), Json::object(), Json{{"solutions", 1}},
                            Json{{"solutions", Json::array()}}, Json{{"solutions", {{{"x", 1}}}}}})
        EXPECT_NE(refusal([&] { states_of(bad, 2, "f"); }), "") << bad.dump();
}

}  // namespace
}  // namespace adiabat::anneal
