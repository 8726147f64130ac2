// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/mixture.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace adiabat::plan {

Mixture::Mixture(size_t limits, double stiffness, std::vector<double> multipliers)
    : stiffness_(stiffness), multipliers_(std::move(multipliers)), excess_(limits) {
    multipliers_.resize(limits);
}

void Mixture::add(double linear, const std::vector<double>& products,
                  const std::vector<double>& excess) {
    linear_.push_back(linear);
    shares_.push_back(corners() == 1 ? 1 : 0);
    products_.push_back(products);
    excesses_.push_back(excess);
    double field = linear;
    for (size_t j = 0; j < corners(); ++j) field += products[j] * shares_[j];
    fields_.push_back(field);
    if (corners() == 1) recompute();
}

void Mixture::set_shares(const std::vector<double>& shares) {
    shares_ = shares;
    recompute();
}

void Mixture::keep(const std::vector<uint8_t>& stays) {
    std::vector<size_t> left;
    for (size_t i = 0; i < stays.size(); ++i) {
        if (stays[i]) left.push_back(i);
    }
    double sum = 0;
    for (size_t i = 0; i < left.size(); ++i) {
        const size_t from = left[i];
        std::vector<double> row;
        for (size_t j = 0; j <= i; ++j) row.push_back(product(from, left[j]));
        // Rows before are overwritten only once they have been read: left[i] >= i.
        linear_[i] = linear_[from];
        sum += shares_[i] = shares_[from];
        excesses_[i] = excesses_[from];
        products_[i] = std::move(row);
    }
    for (auto* all : {&linear_, &shares_}) all->resize(left.size());
    products_.resize(left.size());
    excesses_.resize(left.size());
    for (double& share : shares_) share /= sum;
    recompute();
}

void Mixture::recompute() {
    fields_ = linear_;
    std::fill(excess_.begin(), excess_.end(), 0.0);
    for (size_t i = 0; i < corners(); ++i) {
        for (size_t j = 0; j < corners(); ++j) fields_[i] += product(i, j) * shares_[j];
        for (size_t k = 0; k < excess_.size(); ++k) excess_[k] += shares_[i] * excesses_[i][k];
    }
}

double Mixture::multiplier(size_t k) const {
    return std::max(0.0, multipliers_[k] + stiffness_ * excess_[k]);
}

double Mixture::slope(size_t i, const std::vector<double>& now) const {
    double slope = fields_[i];
    for (size_t k = 0; k < now.size(); ++k) slope += now[k] * excesses_[i][k];
    return slope;
}

void Mixture::improve(double precision, int64_t most) {
    std::vector<double> now(excess_.size());
    for (int64_t step = 0; step < most; ++step) {
        for (size_t k = 0; k < now.size(); ++k) now[k] = multiplier(k);
        size_t best = 0, worst = 0;
        double least = std::numeric_limits<double>::infinity(), largest = -least;
        for (size_t i = 0; i < corners(); ++i) {
            const double s = slope(i, now);
            if (s < least) {
                least = s;
                best = i;
            }
            if (s > largest && shares_[i] > 0) {
                largest = s;
                worst = i;
            }
        }
        if (largest - least <= precision || best == worst) break;
        double curvature = product(best, best) + product(worst, worst) - 2 * product(best, worst);
        for (size_t k = 0; k < now.size(); ++k) {
            const double change = excesses_[best][k] - excesses_[worst][k];
            if (now[k] > 0) curvature += stiffness_ * change * change;
        }
        double moved = shares_[worst];
        if (curvature * moved > largest - least) moved = (largest - least) / curvature;
        shares_[best] += moved;
        shares_[worst] -= moved;
        for (size_t i = 0; i < corners(); ++i) {
            fields_[i] += moved * (product(i, best) - product(i, worst));
        }
        for (size_t k = 0; k < now.size(); ++k) {
            excess_[k] += moved * (excesses_[best][k] - excesses_[worst][k]);
        }
    }
    for (size_t k = 0; k < now.size(); ++k) multipliers_[k] = multiplier(k);
    recompute();
}

double Mixture::value() const {
    double value = 0;
    for (size_t i = 0; i < corners(); ++i) value += shares_[i] * (linear_[i] + fields_[i]) / 2;
    return value;
}

}  // namespace adiabat::plan
