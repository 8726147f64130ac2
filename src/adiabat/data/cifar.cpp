// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/cifar.h"

#include <algorithm>
#include <fstream>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/data/files.h"

namespace adiabat::data {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kPixelBytes = 3 * 32 * 32;

struct Kind {
    const char* name;
    int64_t label_bytes;
    int classes;
    int64_t record_bytes() const { return label_bytes + kPixelBytes; }
};
constexpr Kind kCifar10{"CIFAR-10", 1, 10}, kCifar100{"CIFAR-100", 2, 100};

const Kind& kind_of(const fs::path& file) {
    const auto name = file.filename();
    if (name == "train.bin" || name == "test.bin") return kCifar100;
    const int64_t bytes = file_bytes(file);
    return bytes % kCifar10.record_bytes() != 0 && bytes % kCifar100.record_bytes() == 0 ? kCifar100
                                                                                         : kCifar10;
}

class CifarSource : public Source {
  public:
    CifarSource(const std::vector<fs::path>& files, std::string name, Split part)
        : files_(files), kind_(kind_of(files.front())) {
        name_ = std::move(name);
        shape_ = {3, 32, 32};
        type_ = net::DType::kUint8;
        has_labels_ = true;
        part_ = part;
        const int64_t record = kind_.record_bytes();
        for (const auto& file : files_) {
            const int64_t bytes = file_bytes(file);
            if (bytes == 0) throw InputError("{}: is empty", file.string());
            if (bytes % record != 0) {
                const int64_t whole = bytes / record + 1;
                throw InputError(
                    "{}: truncated, {} bytes found, {} expected for {} {} records of {}",
                    file.string(), bytes, whole * record, whole, kind_.name, record);
            }
            first_.push_back(size_);
            size_ += bytes / record;
        }
    }

  protected:
    void read_rows(std::span<const int64_t> rows, uint8_t* pixels, int32_t* labels) const override {
        std::vector<size_t> order(rows.size());
        std::iota(order.begin(), order.end(), size_t{0});
        std::ranges::stable_sort(order, {}, [&](size_t k) { return rows[k]; });
        std::ifstream file;
        size_t open_part = files_.size();
        for (const size_t k : order) {
            const auto after = std::ranges::upper_bound(first_, rows[k]);
            const auto part = static_cast<size_t>(after - first_.begin()) - 1;
            if (part != open_part) {
                file = std::ifstream(files_[part], std::ios::binary);
                open_part = part;
            }
            const int64_t record = rows[k] - first_[part];
            uint8_t label[2] = {0, 0};
            file.seekg(record * kind_.record_bytes());
            file.read(reinterpret_cast<char*>(label), kind_.label_bytes);
            file.read(reinterpret_cast<char*>(pixels) + static_cast<int64_t>(k) * kPixelBytes,
                      kPixelBytes);
            if (!file) {
                throw InputError("{}: reading record {} failed", files_[part].string(), record);
            }
            labels[k] = label[kind_.label_bytes - 1];
            if (labels[k] >= kind_.classes) {
                throw InputError("{}: record {} has label {}: {} has 0 to {}",
                                 files_[part].string(), record, labels[k], kind_.name,
                                 kind_.classes - 1);
            }
        }
    }

  private:
    std::vector<fs::path> files_;
    Kind kind_;
    std::vector<int64_t> first_;  // row of each file's first record
};

}  // namespace

CifarParts find_cifar(const fs::path& directory) {
    CifarParts parts;
    for (const auto& entry : fs::directory_iterator(directory)) {
        const std::string name = entry.path().filename().string();
        if (entry.path().extension() != ".bin") continue;
        if (name.starts_with("data_batch_") || name == "train.bin") {
            parts.train.push_back(entry.path());
        } else if (name == "test_batch.bin" || name == "test.bin") {
            parts.test.push_back(entry.path());
        }
    }
    std::ranges::sort(parts.train);
    std::ranges::sort(parts.test);
    return parts;
}

std::unique_ptr<Source> open_cifar(const std::vector<fs::path>& files, std::string name,
                                   Split part) {
    ADIABAT_CHECK(!files.empty(), "no files");
    return std::make_unique<CifarSource>(files, std::move(name), part);
}

}  // namespace adiabat::data
