// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/describe.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace adiabat::anneal {
namespace {

TEST(Describe, NamesEveryTechniqueAndOptionInEveryForm) {
    ASSERT_FALSE(techniques().empty());
    const std::string text = describe_as_text(), markdown = describe_as_markdown();
    const Json schema = describe_as_schema();
    ASSERT_EQ(schema["oneOf"].size(), techniques().size());
    for (size_t k = 0; k < techniques().size(); ++k) {
        const Technique& technique = *techniques()[k];
        EXPECT_NE(describe_briefly().find(technique.name), std::string::npos) << technique.name;
        EXPECT_NE(markdown.find(technique.title), std::string::npos) << technique.name;
        const Json& properties = schema["oneOf"][k]["properties"];
        EXPECT_EQ(properties["technique"]["const"], technique.name);
        const Json& values = properties["values"]["properties"];
        EXPECT_EQ(values.size(), technique.options.size());
        for (const Option& option : technique.options) {
            EXPECT_NE(text.find("--" + std::string(option.name)), std::string::npos) << option.name;
            EXPECT_NE(markdown.find("| `" + std::string(option.name) + "` |"), std::string::npos);
            EXPECT_EQ(values[option.name]["description"], option.help);
            EXPECT_TRUE(values[option.name].contains("default")) << option.name;
        }
    }
}

// The text of a table cell must not end the cell.
TEST(Describe, LeavesMarkdownTablesWhole) {
    const std::string markdown = describe_as_markdown();
    size_t at = 0, columns = 0;
    while (at < markdown.size()) {
        const size_t end = std::min(markdown.find('\n', at), markdown.size());
        const std::string line = markdown.substr(at, end - at);
        at = end + 1;
        if (line.empty() || line[0] != '|') {
            columns = 0;
            continue;
        }
        const auto bars = static_cast<size_t>(std::count(line.begin(), line.end(), '|'));
        if (columns == 0) columns = bars;
        EXPECT_EQ(bars, columns) << line;
    }
}

}  // namespace
}  // namespace adiabat::anneal
