// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/preprocess.h"

#include "adiabat/data/npy.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {
namespace {

Dataset bytes_of(int64_t count, int64_t channels, const std::vector<uint8_t>& pixels) {
    const int64_t plane = static_cast<int64_t>(pixels.size()) / count / channels;
    return {"data",
            {channels, 1, plane},
            net::DType::kUint8,
            net::Tensor::of<uint8_t>({count, channels, 1, plane}, pixels),
            {}};
}

// NumPy's float32 arithmetic, one operation after the other.
TEST(Preprocess, GivesNumpysBits) {
    std::vector<uint8_t> all(768);
    for (size_t k = 0; k < all.size(); ++k) all[k] = static_cast<uint8_t>(k);
    const std::vector<double> mean{0.485, 0.456, 0.406}, std{0.229, 0.224, 0.225};
    const auto out = apply({mean, std, 1.0 / 255, "NCHW"}, bytes_of(1, 3, all));
    const auto values = out.as<float>();
    for (size_t k = 0; k < all.size(); ++k) {
        const float quotient = static_cast<float>(all[k]) / 255.0f;
        const float centered = quotient - static_cast<float>(mean[k / 256]);
        ASSERT_EQ(values[k], centered / static_cast<float>(std[k / 256])) << k;
    }
}

TEST(Preprocess, TakesRowsInOrderAndBroadcastsOneValue) {
    const auto data = bytes_of(3, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    const auto out = apply({{1}, {2}, 1, "NCHW"}, data, std::vector<int64_t>{2, 0});
    EXPECT_EQ(out, net::Tensor::of<float>({2, 2, 1, 2},
                                          std::vector<float>{4, 4.5, 5, 5.5, 0, 0.5, 1, 1.5}));
    EXPECT_EQ(apply({}, data).as<float>()[11], 12);
    EXPECT_THROW(apply({}, data, std::vector<int64_t>{3}), InternalError);
}

TEST(Preprocess, TurnsTheChannelsRound) {
    const auto data = bytes_of(2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    Preprocess preprocess{{1, 2, 3}, {}, 1, "NCHW", "bgr"};
    EXPECT_EQ(apply(preprocess, data),
              net::Tensor::of<float>({2, 3, 1, 2}, std::vector<float>{4, 5, 1, 2, -2, -1,  //
                                                                      10, 11, 7, 8, 4, 5}));
    preprocess.mean = {};
    EXPECT_REFUSED(apply(preprocess, bytes_of(1, 1, {1, 2})), "images have 1 channels: expected 3");
}

TEST(Preprocess, TakesFloatPixelsAsTheyAre) {
    const Dataset data{"data",
                       {1, 1, 2},
                       net::DType::kDouble,
                       net::Tensor::of<double>({1, 1, 1, 2}, std::vector<double>{0.25, -3}),
                       {}};
    EXPECT_EQ(apply({}, data), net::Tensor::of<float>({1, 1, 1, 2}, std::vector<float>{0.25f, -3}));
}

TEST(Preprocess, ChecksTheChannels) {
    Dataset data = bytes_of(1, 2, {1, 2, 3, 4, 5, 6});
    EXPECT_REFUSED(
        apply({{1, 2, 3}, {}, 1, "NCHW"}, data),
        "images have 2 channels, mean has 3 values: expected one a channel (is the layout "
        "NHWC?)");
    EXPECT_REFUSED(apply({{}, {1, 2, 3, 4}, 1, "NCHW"}, data), "std has 4 values");
}

TEST(Preprocess, ReadsValues) {
    EXPECT_EQ(parse_values("0.485, 0.456,0.406", "--mean"),
              (std::vector<double>{0.485, 0.456, 0.406}));
    EXPECT_EQ(parse_values("1/255", "--scale"), (std::vector<double>{1.0 / 255}));
    EXPECT_EQ(parse_values("-1e-2", "--mean"), (std::vector<double>{-0.01}));
    for (const char* text :
         {"", ",", "1,", "a", "1 2", "nan", "inf", "1/0", "1/", "0x1", "1e999"}) {
        EXPECT_REFUSED(parse_values(text, "--mean"), "--mean: ") << text;
    }
}

TEST(Preprocess, IsAJsonDocument) {
    const TemporaryFolder folder;
    const Preprocess preprocess{{0.1, 0.2}, {0.5}, 1.0 / 255, "NHWC"};
    const std::string text = to_json(preprocess).dump();
    const auto path = folder.write(
        "p.json", std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
    EXPECT_EQ(read_preprocess(path), preprocess);
    EXPECT_EQ(preprocess_from_json(Json::parse(R"({"mean": 3})"), "f").mean,
              std::vector<double>{3});

    const Preprocess sized{
        {}, {}, 1, "NCHW", "bgr", {SizeWish{256, 0}, SizeWish{224, 192}, Interpolation::kBicubic}};
    EXPECT_EQ(to_json(sized)["resize"], 256);
    EXPECT_EQ(to_json(sized)["crop"], Json::parse("[224, 192]"));
    EXPECT_EQ(preprocess_from_json(to_json(sized), "f"), sized);
    EXPECT_EQ(to_json(preprocess).size(), 4u);

    const auto refuse = [](const char* json, const char* part) {
        EXPECT_REFUSED(preprocess_from_json(Json::parse(json), "f"), part) << json;
    };
    refuse(R"({"means": [1]})", "unknown key \"means\"");
    refuse(R"({"std": [0.2, 0]})", "std is 0");
    refuse(R"({"std": [-1]})", "std is -1");
    refuse(R"({"std": [1e-60]})", "std is 1e-60");
    refuse(R"({"scale": 0})", "scale is 0");
    refuse(R"({"scale": "1/255"})", "\"scale\" is \"1/255\": expected a number");
    refuse(R"({"mean": ["a"]})", "expected numbers");
    refuse(R"({"mean": [1, 2], "std": [1, 2, 3]})", "mean has 2 values and std 3");
    refuse(R"({"layout": "CHW"})", "expected NCHW or NHWC");
    refuse(R"({"layout": 3})", "expected \"NCHW\"");
    refuse(R"({"channels": "BGR"})", "channels are \"BGR\": expected rgb or bgr");
    refuse(R"({"resize": 0})", "f: resize: ");
    refuse(R"({"crop": [224]})", "f: crop: ");
    refuse(R"({"interpolation": "bicubic"})", "nothing is resized");
    refuse(R"({"interpolation": 2})", "\"interpolation\" is 2");
    refuse(R"([1])", "expected an object");
    EXPECT_REFUSED(read_preprocess(folder.write("bad.json", ramp(9))), "is no JSON document");
}

}  // namespace
}  // namespace adiabat::data
