// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/sliding_window.h"

#include <gtest/gtest.h>

#include "adiabat/net/graph_builder.test.h"

namespace adiabat::net {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw InputError("{}", what); }

SlidingWindow window(int64_t kernel, int64_t stride, int64_t dilation, Ints pads, int64_t ceil) {
    Node node;
    node.op = "MaxPool";
    node.attributes = {{"strides", Ints{stride}},
                       {"dilations", Ints{dilation}},
                       {"pads", std::move(pads)},
                       {"ceil_mode", ceil}};
    return read_window(node, {kernel}, refuse);
}

// Counts the places of the window one by one; with ceil those that hang over the end too, as long
// as they begin before it.
int64_t counted(const SlidingWindow& w, int64_t size) {
    int64_t count = 0;
    for (int64_t at = -w.begins[0];; at += w.strides[0]) {
        const bool fits = at + w.reach(0) <= size + w.ends[0];
        // The first place past the last that fits is taken where it still holds something.
        if (!fits) {
            const bool left_over = at - w.strides[0] + w.reach(0) < size + w.ends[0];
            return count + (w.ceil && left_over && at < size ? 1 : 0);
        }
        ++count;
    }
}

TEST(SlidingWindow, CountsItsPlaces) {
    int cases = 0;
    for (int64_t size : {5, 6, 9}) {
        for (int64_t kernel : {1, 2, 3, 4}) {
            for (int64_t stride : {1, 2, 3, 4}) {
                for (int64_t dilation : {1, 2}) {
                    for (int64_t pad : {0, 1, 2}) {
                        for (int64_t ceil : {0, 1}) {
                            const auto w = window(kernel, stride, dilation, {pad, pad / 2}, ceil);
                            if (size + pad + pad / 2 < w.reach(0) || pad >= w.reach(0)) continue;
                            EXPECT_EQ(positions(w, 0, size, refuse), counted(w, size))
                                << size << " " << kernel << " " << stride << " " << dilation << " "
                                << pad << " " << ceil;
                            ++cases;
                        }
                    }
                }
            }
        }
    }
    EXPECT_GT(cases, 250);
}

TEST(SlidingWindow, SettlesPadsWithoutAddingOrLosingAPlace) {
    for (int64_t size : {5, 6, 9}) {
        for (int64_t stride : {1, 2, 3}) {
            for (const char* how : {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}) {
                auto w = window(3, stride, 1, {1, 0}, 1);
                w.auto_pad = how;
                if (w.auto_pad == "VALID") w.begins = {0};
                const int64_t before = positions(w, 0, size, refuse);
                settle_pads(w, {size}, refuse);
                EXPECT_EQ(positions(w, 0, size, refuse), before) << size << how << stride;
                EXPECT_FALSE(w.ceil);
            }
        }
    }
    auto upper = window(2, 1, 1, {0, 0}, 0), lower = upper;
    upper.auto_pad = "SAME_UPPER";
    lower.auto_pad = "SAME_LOWER";
    settle_pads(upper, {4}, refuse);
    settle_pads(lower, {4}, refuse);
    EXPECT_EQ(upper.ends, Ints{1});
    EXPECT_EQ(lower.begins, Ints{1});
}

TEST(SlidingWindow, RefusesNonsense) {
    EXPECT_THROW(window(0, 1, 1, {0, 0}, 0), InputError);
    EXPECT_THROW(window(3, 0, 1, {0, 0}, 0), InputError);
    EXPECT_THROW(window(3, 1, -1, {0, 0}, 0), InputError);
    EXPECT_THROW(window(3, 1, 1, {-1, 0}, 0), InputError);
    EXPECT_THROW(window(3, 1, 1, {1}, 0), InputError);
    EXPECT_THROW(window(int64_t{1} << 40, 1, 1, {0, 0}, 0), InputError);
    EXPECT_THROW(positions(window(3, 1, 1, {0, 0}, 0), 0, 2, refuse), InputError);
    EXPECT_THROW(positions(window(3, 1, 1, {1 << 30, 0}, 0), 0, 8, refuse), InputError);
    EXPECT_EQ(positions(window(3, 1, 1, {1, 1}, 0), 0, kUnknown, refuse), kUnknown);
}

TEST(SlidingWindow, TransposedHasTheSizeThatTheConvolutionTook) {
    // A convolution over the result has as many places again as the input had elements.
    for (int64_t size : {3, 4, 7}) {
        for (int64_t kernel : {1, 2, 3}) {
            for (int64_t stride : {1, 2, 3}) {
                for (int64_t extra = 0; extra < stride; ++extra) {
                    Node node;
                    node.op = "ConvTranspose";
                    node.attributes = {{"strides", Ints{stride}}, {"output_padding", Ints{extra}}};
                    const auto t = read_transposed_window(node, {kernel}, refuse);
                    const auto extent = t.extent(0, size, refuse);
                    const auto w = window(kernel, stride, 1, {0, 0}, 0);
                    EXPECT_EQ(positions(w, 0, extent.size, refuse), size);
                    EXPECT_EQ(extent.cut_before, 0);
                    EXPECT_EQ(extent.cut_behind, -extra);
                }
            }
        }
    }
    Node node;
    node.attributes = {{"output_shape", Ints{5}}, {"strides", Ints{2}}};
    const auto named = read_transposed_window(node, {4}, refuse).extent(0, 3, refuse);
    EXPECT_EQ(named.size, 5);  // of 8: 2 go before and 1 behind
    EXPECT_EQ(named.cut_before, 2);
    EXPECT_EQ(named.cut_behind, 1);
    node.attributes = {{"pads", Ints{4, 4}}};
    EXPECT_THROW(read_transposed_window(node, {3}, refuse).extent(0, 3, refuse), InputError);
}

}  // namespace
}  // namespace adiabat::net
