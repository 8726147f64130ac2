// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/preprocess.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"

namespace adiabat::data {

namespace {

constexpr const char* kKeys = "mean, std, scale, layout, channels, resize, crop or interpolation";

// The formula for one channel, one rounding a step.
struct Affine {
    double scale = 1;
    float mean = 0, std = 1;

    float operator()(double pixel) const {
        const auto scaled = static_cast<float>(pixel * scale);
        const float centered = scaled - mean;
        return centered / std;
    }
};

// One channel of the output: which stored one it is, and what is done to its values.
struct Channel {
    size_t stored = 0;
    Affine affine;
};

template <typename T>
void convert(const Dataset& data, std::span<const int64_t> rows, std::span<const Channel> channels,
             float* to) {
    const auto pixels = data.images.as<T>();
    const auto plane = static_cast<size_t>(data.image_shape[1] * data.image_shape[2]);
    for (const int64_t row : rows) {
        const T* const image = pixels.data() + static_cast<size_t>(row) * channels.size() * plane;
        for (const Channel& channel : channels) {
            const T* const from = image + channel.stored * plane;
            for (size_t k = 0; k < plane; ++k) {
                *to++ = channel.affine(static_cast<double>(from[k]));
            }
        }
    }
}

void convert_bytes(const Dataset& data, std::span<const int64_t> rows,
                   std::span<const Channel> channels, float* to) {
    std::vector<std::array<float, 256>> tables(channels.size());
    for (size_t c = 0; c < channels.size(); ++c) {
        for (size_t value = 0; value < 256; ++value) {
            tables[c][value] = channels[c].affine(static_cast<double>(value));
        }
    }
    const auto plane = static_cast<size_t>(data.image_shape[1] * data.image_shape[2]);
    for (const int64_t row : rows) {
        const uint8_t* const image =
            data.images.bytes.data() + static_cast<size_t>(row) * channels.size() * plane;
        for (size_t c = 0; c < channels.size(); ++c) {
            const uint8_t* const from = image + channels[c].stored * plane;
            for (size_t k = 0; k < plane; ++k) *to++ = tables[c][from[k]];
        }
    }
}

double parse_number(std::string_view text, std::string_view where, std::string_view whole) {
    const size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
    text = first == std::string_view::npos ? "" : text.substr(first, last - first + 1);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
        throw InputError(
            "{}: \"{}\": \"{}\" is no number: expected such as 0.5, 0.49,0.48,0.45 or 1/255", where,
            whole, text);
    }
    return number;
}

// Mean or std of each channel.
double value_of(const std::vector<double>& values, size_t channel, double otherwise) {
    if (values.empty()) return otherwise;
    return values.size() == 1 ? values[0] : values[channel];
}

void check_channels(const std::vector<double>& values, const char* name, const Dataset& data) {
    const int64_t channels = data.image_shape[0];
    if (values.size() <= 1 || static_cast<int64_t>(values.size()) == channels) return;
    const bool swapped = data.image_shape[2] == static_cast<int64_t>(values.size());
    throw InputError("{}: images have {} channels, {} has {} values: expected one a channel{}",
                     data.source, channels, name, values.size(),
                     swapped ? " (is the layout NHWC?)" : "");
}

std::vector<double> numbers(const Json& json, std::string_view where, const std::string& key) {
    const Json list = json.is_array() ? json : Json::array({json});
    std::vector<double> values;
    for (const auto& item : list) {
        if (!item.is_number()) {
            throw InputError("{}: \"{}\" has {}: expected numbers", where, key, item.dump());
        }
        values.push_back(item.get<double>());
    }
    return values;
}

std::string word(const Json& json, std::string_view where, const std::string& key,
                 std::string_view expected) {
    if (json.is_string()) return json.get<std::string>();
    throw InputError("{}: \"{}\" is {}: expected {}", where, key, json.dump(), expected);
}

}  // namespace

std::vector<double> parse_values(std::string_view text, std::string_view where) {
    std::vector<double> values;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        const auto item = text.substr(begin, end - begin);
        const size_t bar = item.find('/');
        double value = parse_number(item.substr(0, bar), where, text);
        if (bar != std::string_view::npos) value /= parse_number(item.substr(bar + 1), where, text);
        if (!std::isfinite(value))
            throw InputError("{}: \"{}\": \"{}\" is not finite", where, text, item);
        values.push_back(value);
        begin = end + 1;
    }
    return values;
}

void check_preprocess(const Preprocess& preprocess, std::string_view where) {
    const auto& [mean, std, scale, layout, channels, geometry] = preprocess;
    for (const double value : mean) {
        if (!std::isfinite(value))
            throw InputError("{}: mean is {}: expected a number", where, value);
    }
    for (const double value : std) {  // as it is used, in float32
        if (!(static_cast<float>(value) > 0) || !std::isfinite(static_cast<float>(value))) {
            throw InputError("{}: std is {}: expected more than 0", where, value);
        }
    }
    if (scale == 0 || !std::isfinite(scale)) {
        throw InputError("{}: scale is {}: expected a number other than 0", where, scale);
    }
    if (mean.size() > 1 && std.size() > 1 && mean.size() != std.size()) {
        throw InputError("{}: mean has {} values and std {}: expected one a channel in both", where,
                         mean.size(), std.size());
    }
    parse_layout(layout);
    if (channels != "rgb" && channels != "bgr") {
        throw InputError("{}: channels are \"{}\": expected rgb or bgr", where, channels);
    }
    if (geometry.interpolation != Interpolation::kBilinear && !geometry.resize) {
        throw InputError("{}: interpolation is {}, but nothing is resized: expected a resize too",
                         where, name_of(geometry.interpolation));
    }
}

Preprocess preprocess_from_json(const Json& json, std::string_view where) {
    if (!json.is_object()) {
        throw InputError("{}: expected an object with {}", where, kKeys);
    }
    Preprocess preprocess;
    for (const auto& [key, value] : json.items()) {
        if (key == "mean") {
            preprocess.mean = numbers(value, where, key);
        } else if (key == "std") {
            preprocess.std = numbers(value, where, key);
        } else if (key == "scale") {
            if (!value.is_number()) {
                throw InputError("{}: \"scale\" is {}: expected a number", where, value.dump());
            }
            preprocess.scale = value.get<double>();
        } else if (key == "layout") {
            const std::string name = word(value, where, key, "\"NCHW\" or \"NHWC\"");
            preprocess.layout = name_of(parse_layout(name));
        } else if (key == "channels") {
            preprocess.channels = word(value, where, key, "\"rgb\" or \"bgr\"");
        } else if (key == "resize") {
            preprocess.geometry.resize = size_from_json(value, fmt::format("{}: resize", where));
        } else if (key == "crop") {
            preprocess.geometry.crop = size_from_json(value, fmt::format("{}: crop", where));
        } else if (key == "interpolation") {
            preprocess.geometry.interpolation =
                parse_interpolation(word(value, where, key, "\"bilinear\" and the like"));
        } else {
            throw InputError("{}: unknown key \"{}\": expected {}", where, key, kKeys);
        }
    }
    check_preprocess(preprocess, where);
    return preprocess;
}

Preprocess read_preprocess(const std::filesystem::path& path) {
    const auto bytes = read_file(path);
    const Json json = Json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) throw InputError("{}: is no JSON document", path.string());
    return preprocess_from_json(json, path.string());
}

Json to_json(const Preprocess& preprocess) {
    Json json = {{"mean", preprocess.mean},
                 {"std", preprocess.std},
                 {"scale", preprocess.scale},
                 {"layout", preprocess.layout}};
    const auto& [resize, crop, interpolation] = preprocess.geometry;
    if (preprocess.channels != "rgb") json["channels"] = preprocess.channels;
    if (resize) json["resize"] = to_json(*resize);
    if (crop) json["crop"] = to_json(*crop);
    if (interpolation != Interpolation::kBilinear) json["interpolation"] = name_of(interpolation);
    return json;
}

net::Tensor apply(const Preprocess& preprocess, const Dataset& data,
                  std::span<const int64_t> rows) {
    check_preprocess(preprocess, "preprocessing");
    check_channels(preprocess.mean, "mean", data);
    check_channels(preprocess.std, "std", data);
    for (const int64_t row : rows) {
        ADIABAT_CHECK(row >= 0 && row < data.size(), "row {} of {}", row, data.size());
    }
    net::Shape shape{static_cast<int64_t>(rows.size())};
    shape.insert(shape.end(), data.image_shape.begin(), data.image_shape.end());
    net::Tensor out(net::DType::kFloat, std::move(shape));

    std::vector<Channel> channels(static_cast<size_t>(data.image_shape[0]));
    const bool turned = preprocess.channels == "bgr";
    if (turned && channels.size() != 3) {
        throw InputError("{}: images have {} channels: expected 3 where they are to be bgr",
                         data.source, channels.size());
    }
    for (size_t c = 0; c < channels.size(); ++c) {
        channels[c] = {turned ? 2 - c : c,
                       {preprocess.scale, static_cast<float>(value_of(preprocess.mean, c, 0)),
                        static_cast<float>(value_of(preprocess.std, c, 1))}};
    }
    float* const to = out.as<float>().data();
    switch (data.type) {
        case net::DType::kUint8:
            convert_bytes(data, rows, channels, to);
            break;
        case net::DType::kInt8:
            convert<int8_t>(data, rows, channels, to);
            break;
        case net::DType::kUint16:
            convert<uint16_t>(data, rows, channels, to);
            break;
        case net::DType::kInt16:
            convert<int16_t>(data, rows, channels, to);
            break;
        case net::DType::kInt32:
            convert<int32_t>(data, rows, channels, to);
            break;
        case net::DType::kUint32:
            convert<uint32_t>(data, rows, channels, to);
            break;
        case net::DType::kInt64:
            convert<int64_t>(data, rows, channels, to);
            break;
        case net::DType::kFloat:
            convert<float>(data, rows, channels, to);
            break;
        case net::DType::kDouble:
            convert<double>(data, rows, channels, to);
            break;
        default:
            ADIABAT_CHECK(false, "pixels of {}", net::name_of(data.type));
    }
    return out;
}

net::Tensor apply(const Preprocess& preprocess, const Dataset& data) {
    std::vector<int64_t> rows(static_cast<size_t>(data.size()));
    std::iota(rows.begin(), rows.end(), 0);
    return apply(preprocess, data, rows);
}

}  // namespace adiabat::data
