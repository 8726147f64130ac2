// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/external.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "adiabat/base/errors.h"

namespace adiabat::onnx {

namespace {

namespace fs = std::filesystem;

struct Place {
    std::string location;
    int64_t offset = 0;
    std::optional<int64_t> length;
};

int64_t number(const std::string& text, const char* key, const std::string& what) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) {
        throw InputError("{}: external {} '{}' is no number of bytes", what, key, text);
    }
    return value;
}

Place place_of(const ::onnx::TensorProto& proto, const std::string& what) {
    Place place;
    for (const auto& entry : proto.external_data()) {
        if (entry.key() == "location") place.location = entry.value();
        if (entry.key() == "offset") place.offset = number(entry.value(), "offset", what);
        if (entry.key() == "length") place.length = number(entry.value(), "length", what);
    }
    return place;
}

// Throws InputError for a location that leaves the folder.
void check_inside(const std::string& location, const std::string& what) {
    const fs::path path = location;
    const bool climbs =
        std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
    if (location.empty() || path.is_absolute() || climbs ||
        location.find('\0') != std::string::npos) {
        throw InputError(
            "{} keeps its data in '{}': other files must lie in the model's folder, named relative "
            "to it",
            what, location);
    }
}

}  // namespace

bool is_external(const ::onnx::TensorProto& proto) {
    return proto.data_location() == ::onnx::TensorProto::EXTERNAL || proto.external_data_size() > 0;
}

std::vector<uint8_t> ExternalFiles::read(const ::onnx::TensorProto& proto, int64_t needed,
                                         const std::string& what) {
    const Place place = place_of(proto, what);
    if (!folder_) {
        throw InputError(
            "{} keeps its data in another file ('{}'): a model that is not read from a folder must "
            "have its weights inside",
            what, place.location);
    }
    check_inside(place.location, what);
    const fs::path path = *folder_ / place.location;
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
        throw InputError("{} keeps its data in {}: no such file beside the model", what,
                         path.string());
    }
    const auto size = static_cast<int64_t>(fs::file_size(path, error));
    if (error || place.offset > size || needed > size - place.offset) {
        throw InputError("{} takes {} bytes at {} of {}, which has {}", what, needed, place.offset,
                         path.string(), size);
    }
    const int64_t length = place.length.value_or(needed);
    if (length != needed) {
        throw InputError("{} holds {} bytes in {} where its shape takes {}", what, length,
                         path.string(), needed);
    }
    std::vector<uint8_t> bytes(static_cast<size_t>(needed));
    std::ifstream file(path, std::ios::binary);
    file.seekg(place.offset);
    file.read(reinterpret_cast<char*>(bytes.data()), needed);
    if (!file || file.gcount() != needed) {
        throw InputError("{}: {} cannot be read", what, path.string());
    }
    bytes_read_ += needed;
    return bytes;
}

}  // namespace adiabat::onnx
