// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/data/files.h"

namespace adiabat::data {

namespace {

namespace fs = std::filesystem;
using net::DType;

static_assert(std::endian::native == std::endian::little, "arrays are copied as they stand");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeaderBytes = 1 << 16;
constexpr size_t kAlignment = 64;

struct Named {
    std::string_view descr;  // without the byte order
    DType type;
};
constexpr std::array<Named, 12> kTypes{{{"b1", DType::kBool},
                                        {"i1", DType::kInt8},
                                        {"u1", DType::kUint8},
                                        {"i2", DType::kInt16},
                                        {"u2", DType::kUint16},
                                        {"i4", DType::kInt32},
                                        {"u4", DType::kUint32},
                                        {"i8", DType::kInt64},
                                        {"u8", DType::kUint64},
                                        {"f2", DType::kFloat16},
                                        {"f4", DType::kFloat},
                                        {"f8", DType::kDouble}}};

// Reads the header's dictionary: strings, True, False and tuples of whole numbers are all there is.
class Literal {
  public:
    Literal(std::string_view text, std::string_view where) : text_(text), where_(where) {}

    bool take(char c) {
        skip_spaces();
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    void expect(char c) {
        if (!take(c)) fail();
    }
    std::string_view string() {
        skip_spaces();
        if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) fail();
        const size_t end = text_.find(text_.front(), 1);
        if (end == std::string_view::npos) fail();
        const auto value = text_.substr(1, end - 1);
        text_.remove_prefix(end + 1);
        return value;
    }
    bool truth() {
        skip_spaces();
        for (const std::string_view word : {"True", "False"}) {
            if (!text_.starts_with(word)) continue;
            text_.remove_prefix(word.size());
            return word == "True";
        }
        fail();
    }
    net::Shape tuple() {
        net::Shape shape;
        expect('(');
        while (!take(')')) {
            skip_spaces();
            int64_t size = -1;
            const auto [end, error] =
                std::from_chars(text_.data(), text_.data() + text_.size(), size);
            if (error != std::errc() || size < 0) fail();
            text_.remove_prefix(static_cast<size_t>(end - text_.data()));
            shape.push_back(size);
            if (!take(',')) {
                expect(')');
                break;
            }
        }
        return shape;
    }
    // The type's name; a structured one is a list.
    std::string_view descr() {
        skip_spaces();
        if (!text_.empty() && text_.front() == '[') {
            throw InputError("{}: holds records of several fields: expected one number an element",
                             where_);
        }
        return string();
    }
    [[noreturn]] void fail() const {
        throw InputError(
            "{}: npy header is damaged: expected {{'descr': .., 'fortran_order': .., "
            "'shape': ..}}",
            where_);
    }

  private:
    void skip_spaces() {
        const size_t at = text_.find_first_not_of(" \n\t");
        text_.remove_prefix(at == std::string_view::npos ? text_.size() : at);
    }
    std::string_view text_, where_;
};

DType type_of(std::string_view descr, std::string_view where) {
    const char order = descr.empty() ? ' ' : descr.front();
    const std::string_view name = descr.substr(std::min<size_t>(1, descr.size()));
    if (name.starts_with('O')) {
        throw InputError("{}: holds Python objects: expected numbers (save with a numeric dtype)",
                         where);
    }
    for (const auto& known : kTypes) {
        if (known.descr != name) continue;
        if (order == '>' && name.back() != '1') {
            throw InputError("{}: is big-endian ({}): expected little-endian", where, descr);
        }
        if (order == '<' || order == '|' || order == '=' || order == '>') return known.type;
    }
    throw InputError(
        "{}: element type \"{}\" is not supported: expected b1, i1 to i8, u1 to u8, f2, f4 "
        "or f8",
        where, descr);
}

uint64_t little(std::span<const uint8_t> bytes) {
    uint64_t value = 0;
    for (size_t k = bytes.size(); k-- > 0;) value = value << 8 | bytes[k];
    return value;
}

// Rows of a file, read where they stand.
class NpySource : public Source {
  public:
    NpySource(const fs::path& images, const std::optional<fs::path>& labels, std::string name,
              Layout layout)
        : path_(images) {
        std::ifstream file(images, std::ios::binary);
        const auto bytes = static_cast<uint64_t>(file_bytes(images));
        std::vector<uint8_t> head(std::min<uint64_t>(bytes, kMaxHeaderBytes + 16));
        file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
        if (!file) throw InputError("{}: cannot be read", images.string());
        const auto header = parse_npy_header(head, images.string());
        const auto nchw = nchw_of(header.shape, header.type, layout, images.string());
        const uint64_t expected = header.data_offset + header.data_bytes();
        if (bytes != expected) {
            throw InputError("{}: {}, {} bytes found, {} expected for shape {}", images.string(),
                             bytes < expected ? "truncated" : "too long", bytes, expected,
                             net::to_string(header.shape));
        }
        offset_ = static_cast<int64_t>(header.data_offset);
        channels_last_ = header.shape.size() == 4 && layout == Layout::kNhwc;
        name_ = std::move(name);
        size_ = nchw[0];
        shape_.assign(nchw.begin() + 1, nchw.end());
        type_ = header.type;
        if (const auto beside = labels ? labels : npy_labels_beside(images)) {
            labels_ = labels_of(read_npy(*beside), beside->string());
            check_count(static_cast<int64_t>(labels_.size()), size_, beside->string());
            has_labels_ = true;
        }
    }

  protected:
    void read_rows(std::span<const int64_t> rows, uint8_t* pixels, int32_t* labels) const override {
        std::ifstream file(path_, std::ios::binary);
        const int64_t bytes = image_bytes();
        std::vector<uint8_t> image(static_cast<size_t>(channels_last_ ? bytes : 0));
        for (const int64_t row : rows) {
            file.seekg(offset_ + row * bytes);
            file.read(reinterpret_cast<char*>(channels_last_ ? image.data() : pixels), bytes);
            if (!file) throw InputError("{}: reading image {} failed", path_.string(), row);
            if (channels_last_) {
                hwc_to_chw(image.data(), pixels, shape_[0], shape_[1] * shape_[2],
                           net::bits_of(type_) / 8);
            }
            pixels += bytes;
            if (has_labels_) *labels++ = labels_[static_cast<size_t>(row)];
        }
    }

  private:
    fs::path path_;
    int64_t offset_ = 0;
    bool channels_last_ = false;
    std::vector<int32_t> labels_;
};

}  // namespace

NpyHeader parse_npy_header(std::span<const uint8_t> bytes, std::string_view where) {
    if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
        throw InputError("{}: is no npy array: expected it to begin with \\x93NUMPY", where);
    }
    const int version = bytes[6];
    if (version < 1 || version > 3) {
        throw InputError("{}: npy version {}: expected 1, 2 or 3", where, version);
    }
    const size_t prefix = version == 1 ? 10 : 12;
    if (bytes.size() < prefix) throw InputError("{}: truncated in the npy header", where);
    const uint64_t length = little(bytes.subspan(8, prefix - 8));
    if (length > kMaxHeaderBytes || bytes.size() - prefix < length) {
        throw InputError("{}: truncated, {} bytes found, {} expected for the npy header alone",
                         where, bytes.size(), prefix + length);
    }
    NpyHeader header;
    header.data_offset = prefix + length;
    Literal text({reinterpret_cast<const char*>(bytes.data()) + prefix, length}, where);
    int keys = 0;
    bool fortran = false;
    text.expect('{');
    while (!text.take('}')) {
        const auto key = text.string();
        text.expect(':');
        if (key == "descr") {
            header.type = type_of(text.descr(), where);
        } else if (key == "fortran_order") {
            fortran = text.truth();
        } else if (key == "shape") {
            header.shape = text.tuple();
        } else {
            text.fail();
        }
        ++keys;
        text.take(',');
    }
    if (keys != 3 || header.type == DType::kUndefined) text.fail();
    if (fortran && header.shape.size() > 1) {
        throw InputError("{}: is in Fortran order: expected C order (numpy.ascontiguousarray)",
                         where);
    }
    // So that offsets fit 63 bits; elements() throws where even the count does not.
    if (net::elements(header.shape) > int64_t{1} << 56) {
        throw InputError("{}: shape {} is too large", where, net::to_string(header.shape));
    }
    return header;
}

net::Tensor parse_npy(std::span<const uint8_t> bytes, std::string_view where) {
    const auto header = parse_npy_header(bytes, where);
    const uint64_t expected = header.data_offset + header.data_bytes();
    if (bytes.size() != expected) {
        throw InputError("{}: {}, {} bytes found, {} expected for shape {}", where,
                         bytes.size() < expected ? "truncated" : "too long", bytes.size(), expected,
                         net::to_string(header.shape));
    }
    net::Tensor array(header.type, header.shape);
    std::ranges::copy(bytes.subspan(header.data_offset), array.bytes.begin());
    return array;
}

net::Tensor read_npy(const fs::path& path) { return parse_npy(read_file(path), path.string()); }

std::vector<uint8_t> format_npy(const net::Tensor& array) {
    const auto known = std::ranges::find(kTypes, array.type, &Named::type);
    if (known == kTypes.end()) throw InputError("npy has no type {}", net::name_of(array.type));
    std::string shape;
    for (size_t d = 0; d < array.shape.size(); ++d) {
        shape += fmt::format("{}{}", d > 0 ? ", " : "", array.shape[d]);
    }
    if (array.shape.size() == 1) shape += ",";
    std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                     known->descr.back() == '1' ? '|' : '<', known->descr, shape);
    const size_t unpadded = kMagic.size() + 4 + header.size() + 1;
    header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
    header += '\n';
    std::string head(kMagic);
    head += {1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    head += header;
    std::vector<uint8_t> bytes(head.size() + array.bytes.size());
    std::ranges::copy(array.bytes, std::ranges::copy(head, bytes.begin()).out);
    return bytes;
}

void write_npy(const fs::path& path, const net::Tensor& array) {
    write_file_atomically(path, format_npy(array));
}

std::optional<fs::path> npy_labels_beside(const fs::path& images) {
    std::string stem = images.stem().string();
    if (const size_t at = stem.rfind("images"); at != std::string::npos) {
        stem.replace(at, 6, "labels");
    } else if (stem == "x" || stem == "X" || stem.starts_with("x_") || stem.starts_with("X_")) {
        stem[0] = 'y';
    } else if (stem.ends_with("_x") || stem.ends_with("_X")) {
        stem.back() = 'y';
    } else {
        return std::nullopt;
    }
    fs::path path = images.parent_path() / (stem + ".npy");
    return fs::exists(path) ? std::optional(path) : std::nullopt;
}

std::unique_ptr<Source> open_npy(const fs::path& images, const std::optional<fs::path>& labels,
                                 std::string name, Layout layout) {
    return std::make_unique<NpySource>(images, labels, std::move(name), layout);
}

}  // namespace adiabat::data
