// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/best_codes.h"

#include <algorithm>
#include <limits>

namespace adiabat::recon {

Matrix codes_of(const RoundedFilters& rounded) {
    const auto filters = static_cast<Eigen::Index>(rounded.scales.size());
    const auto inputs =
        filters == 0 ? 0 : static_cast<Eigen::Index>(rounded.codes.size()) / filters;
    return Eigen::Map<const Eigen::Matrix<int8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
               rounded.codes.data(), filters, inputs)
        .cast<double>();
}

Matrix values_of(const RoundedFilters& rounded) {
    const Eigen::Map<const Eigen::VectorXf> scales(
        rounded.scales.data(), static_cast<Eigen::Index>(rounded.scales.size()));
    return scales.cast<double>().asDiagonal() * codes_of(rounded);
}

BestCodes::BestCodes(const Moments& moments, std::span<const float> least_scales)
    : moments_(moments),
      least_scales_(least_scales),
      least_(Vector::Constant(moments.targets.rows(), std::numeric_limits<double>::infinity())) {
    best_.codes.assign(static_cast<size_t>(moments.targets.size()), 0);
    best_.scales.assign(static_cast<size_t>(moments.targets.rows()), 1.0f);
}

void BestCodes::offer(const Matrix& codes, const Vector& scales) {
    const Matrix product = codes * moments_.inputs;
    const Vector squares = product.cwiseProduct(codes).rowwise().sum();
    const Vector dots = codes.cwiseProduct(moments_.targets).rowwise().sum();
    const double floor = moments_.inputs.trace() * 1e-12;
    for (Eigen::Index f = 0; f < codes.rows(); ++f) {
        const auto row = static_cast<size_t>(f);
        const double square = squares[f], dot = dots[f];
        double scale = scales[f];
        if (square > floor && dot > 0)
            scale = std::max(dot / square, static_cast<double>(least_scales_[row]));
        // Stored as float.
        scale = static_cast<double>(static_cast<float>(scale));
        const double error = scale * (scale * square - 2 * dot);
        if (error >= least_[f] || !(scale > 0)) continue;
        least_[f] = error;
        best_.scales[row] = static_cast<float>(scale);
        const auto inputs = static_cast<size_t>(codes.cols());
        for (size_t k = 0; k < inputs; ++k)
            best_.codes[row * inputs + k] =
                static_cast<int8_t>(codes(f, static_cast<Eigen::Index>(k)));
    }
}

}  // namespace adiabat::recon
