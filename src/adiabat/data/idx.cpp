// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/idx.h"

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/data/files.h"

namespace adiabat::data {

namespace {

namespace fs = std::filesystem;

constexpr uint8_t kUnsignedByte = 0x08;
constexpr size_t kMaxRank = 4;

// Replaces the last `from` of `text`; false where there is none.
bool replace_last(std::string& text, std::string_view from, std::string_view to) {
    const size_t at = text.rfind(from);
    if (at == std::string::npos) return false;
    text.replace(at, from.size(), to);
    return true;
}

}  // namespace

net::Tensor read_idx(const fs::path& path) {
    const auto bytes = read_inflated(path);
    const std::string where = path.string();
    if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0) {
        throw InputError(
            "{}: is no IDX file: expected it to begin with two zero bytes, type and rank", where);
    }
    const size_t rank = bytes[3];
    if (bytes[2] != kUnsignedByte || rank < 1 || rank > kMaxRank) {
        throw InputError(
            "{}: IDX type 0x{:02x} of rank {}: expected unsigned bytes (0x08), rank 1 to 4", where,
            bytes[2], rank);
    }
    const size_t header = 4 + 4 * rank;
    if (bytes.size() < header) {
        throw InputError("{}: truncated, {} bytes found, {} expected for its header", where,
                         bytes.size(), header);
    }
    net::Shape shape;
    for (size_t d = 0; d < rank; ++d) {
        int64_t size = 0;
        for (size_t b = 0; b < 4; ++b) size = size << 8 | bytes[4 + 4 * d + b];
        shape.push_back(size);
    }
    const uint64_t expected = header + static_cast<uint64_t>(net::elements(shape));
    if (bytes.size() != expected) {
        throw InputError("{}: {}, {} bytes found, {} expected for shape {}", where,
                         bytes.size() < expected ? "truncated" : "too long", bytes.size(), expected,
                         net::to_string(shape));
    }
    return net::Tensor::of(std::move(shape), std::span(bytes).subspan(header));
}

std::optional<fs::path> idx_labels_beside(const fs::path& images) {
    std::string name = images.filename().string();
    const std::string rank4 = "idx4", rank3 = "idx3";
    if (!replace_last(name, "images", "labels")) return std::nullopt;
    if (!replace_last(name, rank3, "idx1")) replace_last(name, rank4, "idx1");
    const std::string plain = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name;
    for (const auto& candidate : {name, plain, plain + ".gz"}) {
        const fs::path path = images.parent_path() / candidate;
        if (fs::exists(path)) return path;
    }
    return std::nullopt;
}

IdxParts find_idx(const fs::path& directory) {
    IdxParts parts;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
    std::ranges::sort(files);  // a plain file comes before its .gz
    for (const auto& file : files) {
        const std::string name = file.filename().string();
        if (name.find("images") == std::string::npos) continue;
        if (name.find("idx3") == std::string::npos && name.find("idx4") == std::string::npos)
            continue;
        auto& part =
            name.starts_with("t10k") || name.starts_with("test") ? parts.test : parts.train;
        if (!part) part = file;
    }
    return parts;
}

std::unique_ptr<Source> open_idx(const fs::path& images, const std::optional<fs::path>& labels,
                                 std::string name, Split part, Layout layout) {
    auto pixels = read_idx(images);
    const auto beside = labels ? labels : idx_labels_beside(images);
    std::optional<std::vector<int32_t>> values;
    if (beside) {
        values = labels_of(read_idx(*beside), beside->string());
        check_count(static_cast<int64_t>(values->size()), pixels.shape[0], beside->string());
    }
    return std::make_unique<ArraySource>(std::move(name), part, std::move(pixels),
                                         std::move(values), layout);
}

}  // namespace adiabat::data
