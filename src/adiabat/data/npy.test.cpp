// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/npy.h"

#include <cmath>
#include <limits>

#include "adiabat/base/random.h"
#include "adiabat/data/open.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {
namespace {

// A file with that header text, as of a version, and so many bytes of data.
std::vector<uint8_t> npy(const std::string& header, size_t data_bytes, int version = 1) {
    std::string text = "\x93NUMPY";
    text += static_cast<char>(version);
    text += '\0';
    text += static_cast<char>(header.size());
    text.append(version == 1 ? 1 : 3, '\0');
    text += header;
    std::vector<uint8_t> bytes(text.begin(), text.end());
    const auto data = ramp(data_bytes);
    bytes.insert(bytes.end(), data.begin(), data.end());
    return bytes;
}

TEST(Npy, ReadsBackWhatItWrites) {
    const TemporaryFolder folder;
    const std::vector<net::Tensor> arrays{
        net::Tensor::of<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, -0.5f}),
        net::Tensor::of<double>({1, 1, 2}, std::vector<double>{1e300, 0.1}),
        net::Tensor::of<uint8_t>({4}, std::vector<uint8_t>{0, 1, 128, 255}),
        net::Tensor::of<int8_t>({2}, std::vector<int8_t>{-128, 127}),
        net::Tensor::of<int64_t>({3, 0}, std::vector<int64_t>{}),
        net::Tensor::of<int32_t>({2, 1}, std::vector<int32_t>{-5, 1 << 30}),
        net::Tensor::of<uint16_t>({1}, std::vector<uint16_t>{65535}),
        net::Tensor::scalar<int64_t>(-7)};
    for (const auto& array : arrays) {
        write_npy(folder / "a.npy", array);
        EXPECT_EQ(read_npy(folder / "a.npy"), array) << net::name_of(array.type);
        EXPECT_EQ(parse_npy_header(format_npy(array), "").data_offset % 64, 0u);
    }
    EXPECT_THROW(format_npy(net::Tensor(net::DType::kInt4, {4})), InputError);
}

TEST(Npy, WritesWhatNumpyReads) {
    const auto bytes = format_npy(net::Tensor(net::DType::kFloat, {5}));
    const std::string text(bytes.begin() + 10, bytes.begin() + 70);
    EXPECT_EQ(text.rfind("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", 0), 0u);
    EXPECT_EQ(bytes.size(), 128u + 20u);
}

TEST(Npy, TakesAllVersionsAndSpellings) {
    const std::string plain = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n";
    for (const int version : {1, 2, 3}) {
        const auto array = parse_npy(npy(plain, 12, version), "f");
        EXPECT_EQ(array.shape, (net::Shape{2, 3}));
        EXPECT_EQ(array.type, net::DType::kInt16);
        EXPECT_EQ(array.bytes, ramp(12));
    }
    const std::string odd = "{ \"shape\":(6,),'fortran_order':True , 'descr':'|u1'}";
    EXPECT_EQ(parse_npy(npy(odd, 6), "f").shape, (net::Shape{6}));
    const std::string scalar = "{'descr': '<f8', 'fortran_order': False, 'shape': ()}";
    EXPECT_EQ(parse_npy(npy(scalar, 8), "f").size(), 1);
}

TEST(Npy, SaysWhatIsWrong) {
    const auto refuse = [](const std::string& header, const std::string& part, size_t data = 12) {
        EXPECT_REFUSED(parse_npy(npy(header, data), "f"), part) << header;
    };
    refuse("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "holds Python objects");
    refuse("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 1)}", "Fortran order");
    refuse("{'descr': '>f4', 'fortran_order': False, 'shape': (3,)}", "big-endian");
    refuse("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}", "several fields");
    refuse("{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}", "type \"<c8\"");
    refuse("{'descr': '', 'fortran_order': False, 'shape': (3,)}", "type \"\"");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}",
           "truncated, 73 bytes found, 81 expected for shape [4]", 8);
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "too long");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 9999999999)}",
           "63 bits");
    refuse("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999, 99999999)}",
           "too large");
    for (const char* header :
         {"", "{", "{}", "{'descr'}", "{'descr': '<f4'}", "{'descr': '<f4', 'x': 1}",
          "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (3"}) {
        refuse(header, "npy header is damaged");
    }
    EXPECT_REFUSED(parse_npy(ramp(100), "f"), "is no npy array");
    EXPECT_REFUSED(parse_npy(npy("{}", 0, 9), "f"), "npy version 9");
}

// Truncations and flipped bytes give an array or an InputError, nothing else.
TEST(Npy, SurvivesDamage) {
    const auto whole = format_npy(net::Tensor::of<float>({2, 2}, std::vector<float>{1, 2, 3, 4}));
    for (size_t cut = 0; cut < whole.size(); ++cut) {
        EXPECT_THROW(parse_npy(std::span(whole).first(cut), "f"), InputError) << cut;
    }
    Random random(1);
    for (int k = 0; k < 20'000; ++k) {
        auto bytes = whole;
        bytes[random.below(static_cast<uint32_t>(bytes.size()))] ^=
            static_cast<uint8_t>(1 + random.below(255));
        try {
            parse_npy(bytes, "f");
        } catch (const InputError&) {
        }
    }
}

TEST(Npy, IsADataSetWithLabelsBeside) {
    const TemporaryFolder folder;
    const auto path = folder / "x_train.npy";
    write_npy(path, net::Tensor::of<uint8_t>({3, 2, 2, 1}, ramp(12)));
    EXPECT_FALSE(open_source(path)->has_labels());
    write_npy(folder / "y_train.npy",
              net::Tensor::of<int64_t>({3, 1}, std::vector<int64_t>{2, 0, 1}));
    const auto data =
        open_dataset(path, {.layout = Layout::kNhwc, .rows = std::vector<int64_t>{2, 0}});
    EXPECT_EQ(data.image_shape, (net::Shape{1, 2, 2}));
    EXPECT_EQ(data.images.bytes, (std::vector<uint8_t>{8, 9, 10, 11, 0, 1, 2, 3}));
    EXPECT_EQ(data.labels, (std::vector<int32_t>{1, 2}));
    EXPECT_EQ(open_dataset(path, {.limit = 1}).size(), 1);
    EXPECT_REFUSED(open_dataset(path, {.limit = 0}), "limit is 0");
    EXPECT_REFUSED(open_dataset(path, {.rows = std::vector<int64_t>{3}}), "has no image 3");

    write_npy(folder / "y_train.npy", net::Tensor::of<float>({3}, std::vector<float>{2, 0, 1}));
    EXPECT_REFUSED(open_source(path), "expected labels of an integer type");
    write_npy(folder / "y_train.npy",
              net::Tensor::of<int64_t>({3}, std::vector<int64_t>{2, -1, 1}));
    EXPECT_REFUSED(open_source(path), "image 1 has label -1");
    write_npy(folder / "y_train.npy", net::Tensor::of<int64_t>({2}, std::vector<int64_t>{2, 1}));
    EXPECT_REFUSED(open_source(path), "has 2 labels for 3 images");
}

TEST(Npy, RefusesPixelsThatAreNoNumbers) {
    const TemporaryFolder folder;
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    const auto inf = std::numeric_limits<double>::infinity();
    write_npy(folder / "f.npy",
              net::Tensor::of<float>({3, 1, 2}, std::vector<float>{0, 1, 2, 3, 4, nan}));
    EXPECT_REFUSED(open_dataset(folder / "f.npy"), "image 2 has a pixel that is nan");
    EXPECT_EQ(open_dataset(folder / "f.npy", {.limit = 2}).size(), 2);
    write_npy(folder / "d.npy", net::Tensor::of<double>({2, 1, 1}, std::vector<double>{inf, 0}));
    EXPECT_REFUSED(open_dataset(folder / "d.npy"), "image 0 has a pixel that is inf");
    write_npy(folder / "b.npy", net::Tensor(net::DType::kBool, {2, 1, 1}));
    EXPECT_REFUSED(open_dataset(folder / "b.npy"), "holds bool: expected images");
}

}  // namespace
}  // namespace adiabat::data
