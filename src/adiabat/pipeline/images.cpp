// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/images.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <numeric>

#include "adiabat/base/units.h"

namespace adiabat::pipeline {

namespace {

constexpr size_t kPiece = 256;  // images read between two looks at the stop token
constexpr size_t kMostNamed = 3;

// The classes that the network tells apart, where its first output is scores.
std::optional<int64_t> classes_of(const Model& model) {
    const auto& shape = model.graph.value(model.graph.outputs[0]).shape;
    if (!shape || shape->size() != 2 || shape->back() == net::kUnknown) return std::nullopt;
    return shape->back();
}

void check_shape(const data::Source& source, const Model& model) {
    const net::Value& input = model.graph.value(model.graph.inputs[0]);
    if (!input.shape) return;
    const net::Shape& wanted = *input.shape;
    const net::Shape& shape = source.image_shape();
    bool fits = wanted.size() == shape.size() + 1;
    for (size_t k = 1; fits && k < wanted.size(); ++k) {
        fits = wanted[k] == net::kUnknown || wanted[k] == shape[k - 1];
    }
    if (fits) return;
    // What would be right is known where a size is all that is wrong.
    std::string hint;
    if (wanted.size() == 4 && wanted[2] > 0 && wanted[3] > 0) {
        hint = fmt::format(": --resize {}x{} or --crop {}x{} would give it", wanted[2], wanted[3],
                           wanted[2], wanted[3]);
    }
    const bool one_file = !source.shape_from().empty();
    throw InputError("{}: {} {}, but input {} of {} takes {}{}",
                     one_file ? source.shape_from() : source.name(),
                     one_file ? "gives an image of" : "images are", net::to_string(shape),
                     input.name, model.path, net::to_string(wanted), hint);
}

}  // namespace

std::unique_ptr<data::Source> open_images(const DataOptions& options, data::Split preferred,
                                          const Model& model, int threads) {
    data::OpenOptions open;
    open.split = options.split;
    open.preferred = preferred;
    open.layout = data::parse_layout(options.preprocess.layout);
    open.labels = options.labels;
    open.ignore_classes = options.classes && *options.classes == "none";
    if (!open.ignore_classes) open.classes = options.classes;
    open.geometry = options.preprocess.geometry;
    open.skip_broken = options.skip_broken;
    open.threads = threads;
    const auto& input = model.graph.value(model.graph.inputs[0]).shape;
    if (input && input->size() == 4 && (*input)[1] == 1) open.channels = 1;
    auto source = data::open_source(options.path, open);
    check_shape(*source, model);
    const auto classes = classes_of(model);
    if (classes && source->class_folders() > 0 && source->class_folders() != *classes &&
        !open.classes) {
        throw InputError(
            "{}: has {} class folders, but {} tells {} classes apart: --classes names all of them "
            "in order, --classes none does without labels",
            source->name(), source->class_folders(), model.path, *classes);
    }
    return source;
}

ImageReader::ImageReader(const data::Source& source, const data::Preprocess& preprocess,
                         const Model& model)
    : source_(source), preprocess_(preprocess), classes_(classes_of(model)) {}

Images ImageReader::read(std::span<const int64_t> rows) {
    const auto began = std::chrono::steady_clock::now();
    const data::Dataset stored = source_.read(rows);
    if (!stored.labels.empty() && classes_) {
        data::check_labels(stored.labels, *classes_, source_.name());
    }
    Images images;
    images.pixels = data::apply(preprocess_, stored);
    images.labels = stored.labels;
    digest_.update(stored.images.bytes);
    labels_.insert(labels_.end(), stored.labels.begin(), stored.labels.end());
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return images;
}

std::string ImageReader::sha256() {
    const auto* labels = reinterpret_cast<const uint8_t*>(labels_.data());
    return digest_.update(std::span(labels, labels_.size() * sizeof(int32_t))).hex();
}

Images read_images(const data::Source& source, std::span<const int64_t> rows,
                   const data::Preprocess& preprocess, const Model& model, StopToken stop,
                   ProgressSink& progress) {
    ImageReader reader(source, preprocess, model);
    Images images;
    net::Shape shape = source.image_shape();
    shape.insert(shape.begin(), static_cast<int64_t>(rows.size()));
    images.pixels = net::Tensor(net::DType::kFloat, shape);
    uint8_t* to = images.pixels.bytes.data();
    for (size_t begin = 0; begin < rows.size(); begin += kPiece) {
        if (stop.requested()) throw Interrupted();
        const Images piece =
            reader.read(rows.subspan(begin, std::min(kPiece, rows.size() - begin)));
        to = std::ranges::copy(piece.pixels.bytes, to).out;
        images.labels.insert(images.labels.end(), piece.labels.begin(), piece.labels.end());
        progress.update(begin + static_cast<size_t>(piece.size()));
    }
    images.sha256 = reader.sha256();
    return images;
}

std::vector<int64_t> first_rows(int64_t count) {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
}

BrokenFiles::BrokenFiles(const data::Source& source, const DataOptions& options, StopToken stop,
                         ProgressSink& progress)
    : source_(source),
      skip_(options.skip_broken),
      stop_(std::move(stop)),
      progress_(progress),
      left_out_(source.left_out()) {}

std::vector<int64_t> BrokenFiles::find(std::span<const int64_t> rows) {
    std::vector<int64_t> found;
    progress_.begin("look for broken files", rows.size(), "images");
    for (size_t begin = 0; begin < rows.size(); begin += kPiece) {
        if (stop_.requested()) throw Interrupted();
        const auto piece = rows.subspan(begin, std::min(kPiece, rows.size() - begin));
        for (const data::Broken& broken : source_.find_broken(piece)) {
            found.push_back(broken.row);
            left_out_.push_back(broken.reason);
        }
        progress_.update(begin + piece.size());
    }
    progress_.end();
    return found;
}

data::FindBroken BrokenFiles::finder() {
    if (!skip_) return nullptr;
    return [this](std::span<const int64_t> rows) { return find(rows); };
}

std::vector<int64_t> BrokenFiles::first_usable(int64_t count) {
    if (!skip_) return first_rows(count);
    std::vector<int64_t> usable;
    for (int64_t next = 0; next < source_.size() && std::ssize(usable) < count;) {
        std::vector<int64_t> piece(
            static_cast<size_t>(std::min(count - std::ssize(usable), source_.size() - next)));
        std::iota(piece.begin(), piece.end(), next);
        next += std::ssize(piece);
        const auto broken = find(piece);  // ascending, as the piece
        std::ranges::set_difference(piece, broken, std::back_inserter(usable));
    }
    if (usable.empty()) {
        throw InputError("{}: none of its images can be read: {}", source_.name(),
                         left_out_.empty() ? "" : left_out_.back());
    }
    return usable;
}

void BrokenFiles::say() const {
    if (left_out_.empty()) return;
    std::string line = fmt::format("left out {}: ", format_count(std::ssize(left_out_)));
    for (size_t k = 0; k < std::min(left_out_.size(), kMostNamed); ++k) {
        line += (k == 0 ? "" : "; ") + left_out_[k];
    }
    if (left_out_.size() > kMostNamed) {
        line += fmt::format("; and {} more",
                            format_count(std::ssize(left_out_) - static_cast<int64_t>(kMostNamed)));
    }
    progress_.say(line);
}

}  // namespace adiabat::pipeline
