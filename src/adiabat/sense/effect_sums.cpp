// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/effect_sums.h"

#include <cmath>

#include "adiabat/base/correlation.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/store.h"
#include "adiabat/base/threads.h"
#include "adiabat/recon/rank_update.h"

namespace adiabat::sense {

namespace {

using recon::Matrix;
using recon::Vector;

// Beyond so many candidates their products are not written out.
constexpr int kMostProducts = 8192;

}  // namespace

std::vector<uint8_t> EffectPiece::to_bytes() const {
    ByteWriter writer;
    writer.number(first_image);
    writer.number(static_cast<int64_t>(rows.rows()));
    writer.number(static_cast<int64_t>(rows.cols()));
    writer.list(std::span(rows.data(), static_cast<size_t>(rows.size())));
    writer.number(static_cast<uint64_t>(of_filters.size()));
    for (const auto& list : of_filters) writer.list(list);
    writer.list(residual);
    return writer.take();
}

EffectPiece EffectPiece::from_bytes(std::span<const uint8_t> bytes) {
    ByteReader reader(bytes);
    EffectPiece piece;
    piece.first_image = reader.number<int64_t>();
    const auto rows = reader.number<int64_t>(), cols = reader.number<int64_t>();
    const auto values = reader.list<float>();
    ADIABAT_CHECK(std::ssize(values) == rows * cols, "{} values for {} x {}", values.size(), rows,
                  cols);
    piece.rows = Eigen::Map<const recon::Rows>(values.data(), rows, cols);
    piece.of_filters.resize(reader.number<uint64_t>());
    for (auto& list : piece.of_filters) list = reader.list<double>();
    piece.residual = reader.list<float>();
    return piece;
}

EffectSums::EffectSums(const Candidates& candidates, int64_t images, int64_t directions,
                       int threads)
    : candidates_(candidates),
      images_(images),
      directions_(directions),
      threads_(threads),
      keeps_factor_(candidates.columns() > kMostProducts ||
                    candidates.columns() > images * directions) {
    const auto columns = static_cast<Eigen::Index>(candidates.columns());
    for (Half& half : halves_) {
        half.single = Vector::Zero(columns);
        if (!keeps_factor_) half.products = Matrix::Zero(columns, columns);
    }
    if (keeps_factor_) factor_.resize(images * directions, columns);
    residual_ = Vector::Zero(candidates.incumbent ? columns : 0);
    for (size_t k = 0; k < candidates.layers.size(); ++k) {
        of_filters_.emplace_back(candidates.widths[k].size() *
                                 static_cast<size_t>(candidates.layers[k].filters));
    }
}

void EffectSums::add(const EffectPiece& piece) {
    const Eigen::Index rows = piece.rows.rows(), columns = piece.rows.cols();
    ADIABAT_CHECK(columns == candidates_.columns() && rows % directions_ == 0 &&
                      piece.first_image * directions_ == rows_,
                  "a piece of {} x {} for image {} of {}", rows, columns, piece.first_image,
                  rows_ / directions_);
    if (keeps_factor_) factor_.middleRows(rows_, rows) = piece.rows;
    if (candidates_.incumbent) {
        ADIABAT_CHECK(std::ssize(piece.residual) == rows, "{} residuals for {} rows",
                      piece.residual.size(), rows);
        const Eigen::Map<const Eigen::VectorXf> r0(piece.residual.data(), rows);
        residual_ += (piece.rows.transpose() * r0).cast<double>();
        residual_square_ += static_cast<double>(r0.squaredNorm());
    }
    // The two halves, one a worker.
    parallel_for(2, threads_, [&](int64_t begin, int64_t end, int) {
        for (int64_t h = begin; h < end; ++h) {
            Half& half = halves_[h];
            std::vector<Eigen::Index> mine;
            for (Eigen::Index row = 0; row < rows; ++row) {
                if ((piece.first_image + row / directions_) % 2 == h) mine.push_back(row);
            }
            const recon::Rows some = piece.rows(mine, Eigen::all);
            if (keeps_factor_) {
                half.single += some.colwise().squaredNorm().transpose().cast<double>();
                continue;
            }
            recon::Rows product = recon::Rows::Zero(columns, columns);
            recon::add_products(std::span(some.data(), static_cast<size_t>(some.size())), columns,
                                std::span(product.data(), static_cast<size_t>(product.size())));
            half.single += product.diagonal().cast<double>();
            half.products.triangularView<Eigen::Lower>() += product.cast<double>();
        }
    });
    rows_ += rows;
    for (size_t k = 0; k < of_filters_.size(); ++k) {
        for (size_t i = 0; i < of_filters_[k].size(); ++i)
            of_filters_[k][i] += piece.of_filters[k][i];
    }
}

void EffectSums::find_agreement(Effects& effects) const {
    Correlation single, product;
    const auto columns = static_cast<Eigen::Index>(candidates_.columns());
    for (Eigen::Index u = 0; u < columns; ++u) {
        const double a = halves_[0].single[u], b = halves_[1].single[u];
        if (a > 0 && b > 0) single.add(std::log(a), std::log(b));
        if (keeps_factor_) continue;
        for (Eigen::Index v = 0; v < u; ++v) {
            const double scale = std::sqrt(effects.single[u] * effects.single[v]);
            if (scale > 0) {
                product.add(halves_[0].products(u, v) / scale, halves_[1].products(u, v) / scale);
            }
        }
    }
    effects.agreement = single.value();
    effects.product_agreement = product.value();
}

Effects EffectSums::effects(std::span<const LayerProbe> probes) && {
    ADIABAT_CHECK(rows_ == images_ * directions_, "{} rows of {}", rows_, images_ * directions_);
    Effects result;
    result.images = images_;
    result.directions = directions_;
    const auto images = static_cast<double>(images_);
    result.single = (halves_[0].single + halves_[1].single) / images;
    find_agreement(result);
    result.around = candidates_.incumbent;
    result.residual = residual_ / images;
    result.residual_square = residual_square_ / images;
    if (keeps_factor_) {
        result.factor = std::move(factor_) / std::sqrt(static_cast<float>(images_));
    } else {
        halves_[0].products += halves_[1].products;
        result.products = halves_[0].products.selfadjointView<Eigen::Lower>();
        result.products /= images;
    }
    for (size_t k = 0; k < probes.size(); ++k) {
        const auto widths = std::ssize(candidates_.widths[k]);
        LayerLinks links{probes[k].cuts, probes[k].pairs, probes[k].shares, {}};
        links.filter_shares = Matrix::Zero(widths, candidates_.layers[k].filters);
        for (Eigen::Index w = 0; w < widths; ++w) {
            const Eigen::Map<const Vector> squares(
                of_filters_[k].data() + w * candidates_.layers[k].filters,
                candidates_.layers[k].filters);
            if (squares.sum() > 0) links.filter_shares.row(w) = squares / squares.sum();
        }
        result.layers.push_back(std::move(links));
    }
    return result;
}

}  // namespace adiabat::sense
