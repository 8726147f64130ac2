// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/resized_source.h"

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/base/threads.h"

namespace adiabat::data {

namespace {

constexpr size_t kPiece = 256;  // images held as they are stored

class ResizedSource : public Source {
  public:
    ResizedSource(std::unique_ptr<Source> source, const Geometry& geometry, int threads)
        : source_(std::move(source)), geometry_(geometry), threads_(threads) {
        name_ = source_->name();
        type_ = source_->type();
        size_ = source_->size();
        has_labels_ = source_->has_labels();
        part_ = source_->part();
        if (type_ != net::DType::kUint8) {
            throw InputError("{}: holds {}: expected uint8 where images are resized or cropped",
                             name_, net::name_of(type_));
        }
        const net::Shape& stored = source_->image_shape();
        const RasterSize size = geometry_.size_after({stored[1], stored[2]}, name_);
        shape_ = {stored[0], size.height, size.width};
    }

  protected:
    void read_rows(std::span<const int64_t> rows, uint8_t* pixels, int32_t* labels) const override {
        for (size_t begin = 0; begin < rows.size(); begin += kPiece) {
            const auto piece = rows.subspan(begin, std::min(kPiece, rows.size() - begin));
            const Dataset stored = source_->read(piece);
            const int64_t channels = shape_[0];
            const RasterSize from{stored.image_shape[1], stored.image_shape[2]};
            const int64_t plane = from.height * from.width, out = shape_[1] * shape_[2];
            const uint8_t* const samples = stored.images.bytes.data();
            parallel_for(stored.size() * channels, threads_, [&](int64_t a, int64_t b, int) {
                for (int64_t k = a; k < b; ++k) {
                    Raster image(from, 1);
                    std::copy_n(samples + k * plane, plane, image.samples.data());
                    image = apply(geometry_, std::move(image), name_);
                    std::ranges::copy(image.samples, pixels + k * out);
                }
            });
            pixels += stored.size() * channels * out;
            if (has_labels_) labels = std::ranges::copy(stored.labels, labels).out;
        }
    }

  private:
    std::unique_ptr<Source> source_;
    Geometry geometry_;
    int threads_;
};

}  // namespace

std::unique_ptr<Source> resized(std::unique_ptr<Source> source, const Geometry& geometry,
                                int threads) {
    return std::make_unique<ResizedSource>(std::move(source), geometry, threads);
}

}  // namespace adiabat::data
