// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/units.h"

#include <gtest/gtest.h>

#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat {
namespace {

TEST(Units, ReadsBytes) {
    EXPECT_EQ(parse_bytes("175KB"), 175'000);
    EXPECT_EQ(parse_bytes("171KiB"), 175'104);
    EXPECT_EQ(parse_bytes("131072"), 131'072);
    EXPECT_EQ(parse_bytes("12 B"), 12);
    EXPECT_EQ(parse_bytes("1.5mb"), 1'500'000);
    EXPECT_EQ(parse_bytes(" 2 MiB "), 2'097'152);
    EXPECT_EQ(parse_bytes("0.001KB"), 1);
    EXPECT_EQ(parse_bytes("3GB"), 3'000'000'000);
}

TEST(Units, RefusesWhatIsNoSize) {
    for (const char* text : {"", "  ", "KB", "-3KB", "0", "0.2B", "12 K", "12 kilo", "1e5KB", "nan",
                             "inf", "12KBs", "99999999999GB", "0x10"}) {
        EXPECT_THROW(parse_bytes(text), InputError) << text;
    }
    try {
        parse_bytes("12 K", "--budget file");
        FAIL();
    } catch (const InputError& error) {
        EXPECT_EQ(std::string(error.what()).rfind("--budget file: \"12 K\" has no unit", 0), 0u);
    }
}

TEST(Units, ReadsCounts) {
    EXPECT_EQ(parse_count("20M"), 20'000'000);
    EXPECT_EQ(parse_count("1.5 g"), 1'500'000'000);
    EXPECT_EQ(parse_count("270k"), 270'000);
    EXPECT_EQ(parse_count("270000"), 270'000);
    for (const char* text : {"", "M", "-3k", "0", "0.2", "12 KB", "12 KiB", "12B", "1e5", "nan"}) {
        EXPECT_THROW(parse_count(text), InputError) << text;
    }
    try {
        parse_count("12 KB", "--budget macs");
        FAIL();
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(),
                     "--budget macs: \"12 KB\" has no unit that is known: expected a number with "
                     "nothing, k, M or G (powers of 1000)");
    }
}

TEST(Units, WritesForPeople) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(999), "999 B");
    EXPECT_EQ(format_bytes(1000), "1.00 KB");
    EXPECT_EQ(format_bytes(10'500), "10.5 KB");
    EXPECT_EQ(format_bytes(175'000), "175 KB");
    EXPECT_EQ(format_bytes(999'499), "999 KB");
    EXPECT_EQ(format_bytes(999'500), "1.00 MB");
    EXPECT_EQ(format_bytes(1'092'445), "1.09 MB");
    EXPECT_EQ(format_bytes(-1500), "-1.50 KB");
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(268'336), "268,336");
    EXPECT_EQ(format_count(-268), "-268");
    EXPECT_EQ(format_count(-268'336), "-268,336");
    EXPECT_EQ(format_count(1'000'000), "1,000,000");
    EXPECT_EQ(format_count(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace adiabat
