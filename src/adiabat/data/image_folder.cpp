// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <unordered_map>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"
#include "adiabat/base/units.h"
#include "adiabat/data/decode.h"
#include "adiabat/data/files.h"
#include "adiabat/data/folder_labels.h"
#include "adiabat/data/npz.h"

namespace adiabat::data {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostFileBytes = int64_t{1} << 30;
constexpr size_t kMostNamed = 3;  // files named in a line

bool has_image_name(const fs::path& path) {
    std::string extension = path.extension().string();
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// What a folder holds, each sorted by name; no names that begin with a dot.
struct Listing {
    std::vector<fs::path> folders, images, others;
};

Listing list(const fs::path& folder) {
    Listing found;
    std::error_code error, ignored;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        const fs::path& path = entry->path();
        if (path.filename().native().starts_with('.')) continue;
        if (entry->is_directory(ignored)) {
            found.folders.push_back(path);
        } else if (entry->is_regular_file(ignored) && has_image_name(path)) {
            found.images.push_back(path);
        } else {
            found.others.push_back(path);
        }
    }
    if (error) throw InputError("{}: {}", folder.string(), error.message());
    for (auto* paths : {&found.folders, &found.images, &found.others}) std::ranges::sort(*paths);
    return found;
}

// "a, b, c and 7 more"
std::string named(const std::vector<std::string>& names) {
    std::string text;
    for (size_t k = 0; k < std::min(names.size(), kMostNamed); ++k) {
        text += (k == 0 ? "" : "; ") + names[k];
    }
    if (names.size() > kMostNamed) text += fmt::format("; and {} more", names.size() - kMostNamed);
    return text;
}

// The part of a divided folder, and where it is; the folder itself where it is not divided.
struct Part {
    Split split = Split::kAuto;
    fs::path folder;
};

Part find_part(const fs::path& folder, const OpenOptions& options) {
    const Listing top = list(folder);
    const auto has = [&](const char* name) {
        return std::ranges::find(top.folders, folder / name) != top.folders.end();
    };
    const auto is_part = [](const fs::path& path) {
        const auto name = path.filename();
        return name == "train" || name == "val" || name == "test";
    };
    if (top.folders.empty() || !top.images.empty() || !std::ranges::all_of(top.folders, is_part)) {
        return {Split::kAuto, folder};
    }
    const bool has_test = has("test"), has_val = has("val");
    const Split part = choose_part(options.split, options.preferred, has("train"),
                                   has_test || has_val, folder.string());
    if (part == Split::kTrain) return {part, folder / "train"};
    // ImageNet's test part is a heap of images without labels.
    const bool test = has_test && (!has_val || !list(folder / "test").folders.empty());
    return {part, folder / (test ? "test" : "val")};
}

class ImageFolder : public Source {
  public:
    ImageFolder(const fs::path& folder, const OpenOptions& options) : options_(options) {
        name_ = folder.string();
        type_ = net::DType::kUint8;
        const Part part = find_part(folder, options);
        part_ = part.split;
        const Listing listing = list(part.folder);
        collect_others(listing.others);
        if (listing.folders.empty()) {
            read_flat(listing);
        } else {
            read_classes(listing, part.folder);
        }
        if (!others_.empty() && !options.skip_broken) {
            throw InputError(
                "{}: holds {} that {} no JPEG or PNG image by name (.jpg, .jpeg, .png): "
                "--skip-broken leaves such files out",
                name_, named(others_), others_.size() == 1 ? "is" : "are");
        }
        for (const auto& other : others_) left_out_.push_back(other + ": no image by its name");
        if (files_.empty()) {
            throw InputError("{}: holds no JPEG or PNG images, nor do its folders",
                             part.folder.string());
        }
        size_ = static_cast<int64_t>(files_.size());
        find_shape();
    }

    std::vector<Broken> find_broken(std::span<const int64_t> rows) const override {
        std::vector<std::string> reasons(rows.size());
        for_each(rows, [&](size_t k) {
            try {
                load(rows[k]);
            } catch (const InputError& error) {
                reasons[k] = error.what();
            }
        });
        std::vector<Broken> broken;
        for (size_t k = 0; k < rows.size(); ++k) {
            if (!reasons[k].empty()) broken.push_back({rows[k], std::move(reasons[k])});
        }
        return broken;
    }

  protected:
    void read_rows(std::span<const int64_t> rows, uint8_t* pixels, int32_t* labels) const override {
        std::vector<std::string> reasons(rows.size()), misfits(rows.size());
        const auto bytes = static_cast<size_t>(image_bytes());
        for_each(rows, [&](size_t k) {
            try {
                const Raster image = load(rows[k]);
                if (image.size == size_of_all()) {
                    to_planes(image, shape_[0], pixels + k * bytes);
                } else {
                    misfits[k] = misfit(rows[k], image.size);
                }
            } catch (const InputError& error) {
                reasons[k] = error.what();
            }
        });
        std::erase(reasons, "");
        if (!reasons.empty()) {
            throw InputError("{} ({} of the {} images read): --skip-broken leaves such files out",
                             named(reasons), format_count(static_cast<int64_t>(reasons.size())),
                             format_count(static_cast<int64_t>(rows.size())));
        }
        std::erase(misfits, "");
        if (!misfits.empty()) throw InputError("{}", misfits.front());
        if (!has_labels_) return;
        for (const int64_t row : rows) *labels++ = labels_[static_cast<size_t>(row)];
    }

  private:
    void collect_others(const std::vector<fs::path>& paths) {
        const auto is = [](const fs::path& path, const std::optional<fs::path>& option) {
            std::error_code ignored;
            return option && fs::equivalent(path, *option, ignored);
        };
        for (const auto& path : paths) {
            if (is(path, options_.labels) || is(path, options_.classes)) continue;
            others_.push_back(path.string());
        }
    }

    void read_flat(const Listing& listing) {
        if (options_.classes) {
            throw InputError("{}: has no class folders that {} could order", name_,
                             options_.classes->string());
        }
        files_ = listing.images;
        has_labels_ = options_.labels.has_value();
        if (!has_labels_) return;
        std::vector<std::string> names;
        for (const auto& file : files_) names.push_back(file.filename().string());
        labels_ = read_folder_labels(*options_.labels, names);
    }

    void read_classes(const Listing& listing, const fs::path& folder) {
        if (!listing.images.empty()) {
            throw InputError(
                "{}: holds images ({}) beside folders ({}): expected either images or class "
                "folders",
                folder.string(), listing.images.front().filename().string(),
                listing.folders.front().filename().string());
        }
        if (options_.labels) {
            throw InputError("{}: its folders are its labels, {} cannot be used with it", name_,
                             options_.labels->string());
        }
        has_labels_ = !options_.ignore_classes;
        class_folders_ = has_labels_ ? static_cast<int64_t>(listing.folders.size()) : 0;
        std::unordered_map<std::string, int32_t> numbers;
        if (options_.classes) numbers = read_class_names(*options_.classes);
        for (size_t k = 0; k < listing.folders.size(); ++k) {
            const fs::path& path = listing.folders[k];
            auto number = static_cast<int32_t>(k);
            if (options_.classes) {
                const auto found = numbers.find(path.filename().string());
                if (found == numbers.end()) {
                    throw InputError("{}: does not name the class folder {}",
                                     options_.classes->string(), path.string());
                }
                number = found->second;
            }
            Listing inside = list(path);
            if (!inside.folders.empty()) {
                throw InputError("{}: is a folder in a class folder: expected images there",
                                 inside.folders.front().string());
            }
            collect_others(inside.others);
            labels_.insert(labels_.end(), inside.images.size(), number);
            std::ranges::move(inside.images, std::back_inserter(files_));
        }
    }

    // Of the geometry, or of the first image that can be read.
    void find_shape() {
        auto size = options_.geometry.fixed_size();
        for (size_t k = 0; !size; ++k) {
            try {
                const std::string where = files_[k].string();
                size = options_.skip_broken
                           ? load(static_cast<int64_t>(k)).size
                           : options_.geometry.size_after(image_size(bytes_of(k), where), where);
                shape_from_ = where;
            } catch (const InputError& error) {
                if (!options_.skip_broken) {
                    throw InputError("{}: --skip-broken leaves such files out", error.what());
                }
                if (k + 1 == files_.size()) throw;
            }
        }
        shape_ = {options_.channels == 1 ? 1 : 3, size->height, size->width};
    }

    RasterSize size_of_all() const { return {shape_[1], shape_[2]}; }

    std::vector<uint8_t> bytes_of(size_t row) const {
        const fs::path& path = files_[row];
        if (file_bytes(path) > kMostFileBytes) {
            throw InputError("{}: has more than {} bytes", path.string(),
                             format_count(kMostFileBytes));
        }
        return read_file(path);
    }

    Raster load(int64_t row) const {
        const auto k = static_cast<size_t>(row);
        const std::string where = files_[k].string();
        Raster image = decode_image(bytes_of(k), where);
        if (options_.channels == 1) image = to_gray(std::move(image));
        return apply(options_.geometry, std::move(image), where);
    }

    std::string misfit(int64_t row, RasterSize size) const {
        return fmt::format(
            "{}: gives {} x {} pixels (height x width), {} gives {} x {}: expected one size, as "
            "--resize and --crop make it",
            files_[static_cast<size_t>(row)].string(), size.height, size.width, shape_from_,
            shape_[1], shape_[2]);
    }

    // body(0), .., body(rows - 1), on several threads.
    template <typename Body>
    void for_each(std::span<const int64_t> rows, const Body& body) const {
        parallel_for(static_cast<int64_t>(rows.size()), options_.threads,
                     [&](int64_t begin, int64_t end, int) {
                         for (int64_t k = begin; k < end; ++k) body(static_cast<size_t>(k));
                     });
    }

    OpenOptions options_;
    std::vector<fs::path> files_;
    std::vector<int32_t> labels_;
    std::vector<std::string> others_;
};

}  // namespace

bool may_be_image_folder(const fs::path& folder) {
    const Listing listing = list(folder);
    return !listing.folders.empty() || !listing.images.empty();
}

std::unique_ptr<Source> open_image_folder(const fs::path& folder, const OpenOptions& options) {
    return std::make_unique<ImageFolder>(folder, options);
}

}  // namespace adiabat::data
