// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/open.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/data/cifar.h"
#include "adiabat/data/files.h"
#include "adiabat/data/idx.h"
#include "adiabat/data/image_folder.h"
#include "adiabat/data/npy.h"
#include "adiabat/data/npz.h"
#include "adiabat/data/resized_source.h"

namespace adiabat::data {

namespace {

namespace fs = std::filesystem;

constexpr const char* kKinds =
    "CIFAR binary batches, IDX (MNIST) files, an .npy array, an .npz archive, or a folder of JPEG "
    "or PNG images";

void refuse_labels(const OpenOptions& options, const fs::path& path, const char* kind) {
    if (options.labels) {
        throw InputError("{}: {} holds its own labels, {} cannot be used with it", path.string(),
                         kind, options.labels->string());
    }
}

std::unique_ptr<Source> open_directory(const fs::path& path, const OpenOptions& options) {
    const auto cifar = find_cifar(path);
    if (!cifar.empty()) {
        refuse_labels(options, path, "a CIFAR directory");
        const Split part = choose_part(options.split, options.preferred, !cifar.train.empty(),
                                       !cifar.test.empty(), path.string());
        return open_cifar(part == Split::kTrain ? cifar.train : cifar.test, path.string(), part);
    }
    const auto idx = find_idx(path);
    if (!idx.empty()) {
        const Split part = choose_part(options.split, options.preferred, idx.train.has_value(),
                                       idx.test.has_value(), path.string());
        return open_idx(part == Split::kTrain ? *idx.train : *idx.test, options.labels,
                        path.string(), part, options.layout);
    }
    throw InputError("{}: directory without a known data set: expected {}", path.string(), kKinds);
}

std::unique_ptr<Source> open_file(const fs::path& path, const OpenOptions& options) {
    if (file_bytes(path) == 0) throw InputError("{}: is empty", path.string());
    std::ifstream file(path, std::ios::binary);
    std::array<unsigned char, 4> head{};
    if (!file.read(reinterpret_cast<char*>(head.data()), 4) && !file.eof()) {
        throw InputError("{}: cannot be read", path.string());
    }
    const auto extension = path.extension();
    if (head[0] == 'P' && head[1] == 'K') {
        refuse_labels(options, path, "an .npz archive");
        return open_npz(path, options.split, options.preferred, options.layout);
    }
    if (head[0] == 0x93 || extension == ".npy") {
        return open_npy(path, options.labels, path.string(), options.layout);
    }
    if (extension == ".npz")
        return open_npz(path, options.split, options.preferred, options.layout);
    if (extension == ".bin") {
        refuse_labels(options, path, "a CIFAR file");
        return open_cifar({path}, path.string(), Split::kAuto);
    }
    const bool gzip = head[0] == 0x1f && head[1] == 0x8b;
    const bool named = path.filename().string().find("idx") != std::string::npos;
    if (gzip || named || (head[0] == 0 && head[1] == 0)) {
        return open_idx(path, options.labels, path.string(), Split::kAuto, options.layout);
    }
    throw InputError("{}: is no data set that is known: expected {}", path.string(), kKinds);
}

}  // namespace

std::unique_ptr<Source> open_source(const fs::path& path, const OpenOptions& options) {
    std::error_code error;
    if (path.empty() || !fs::exists(path, error)) {
        throw InputError("{}: no such file or directory: expected {}", path.string(), kKinds);
    }
    const bool is_array = !fs::is_directory(path) || !find_cifar(path).empty() ||
                          !find_idx(path).empty() || !may_be_image_folder(path);
    if (!is_array) return open_image_folder(path, options);
    if (options.classes) {
        throw InputError("{}: has no class folders that {} could order", path.string(),
                         options.classes->string());
    }
    auto source = fs::is_directory(path) ? open_directory(path, options) : open_file(path, options);
    if (options.geometry.empty()) return source;
    return resized(std::move(source), options.geometry, options.threads);
}

Dataset open_dataset(const fs::path& path, const OpenOptions& options) {
    const auto source = open_source(path, options);
    if (options.rows) return source->read(*options.rows);
    if (options.limit && *options.limit < 1) {
        throw InputError("{}: limit is {}: expected 1 image or more", path.string(),
                         *options.limit);
    }
    const int64_t count = std::min(options.limit.value_or(source->size()), source->size());
    std::vector<int64_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), 0);
    return source->read(rows);
}

}  // namespace adiabat::data
