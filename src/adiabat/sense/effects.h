// SPDX-License-Identifier: Apache-2.0
#pragma once

// What was sensed of every candidate: the result that Hamiltonians are made of.
//
// Column a_u of A holds, image by image and direction by direction (directions.h), what candidate u
// does to the outputs (around an incumbent: from there on), divided by sqrt(images): |sum of
// columns|^2 is what a plan costs as far as effects add up.

#include <cstdint>
#include <optional>
#include <vector>

#include "adiabat/net/coupling.h"
#include "adiabat/recon/moments.h"
#include "adiabat/sense/incumbent.h"

namespace adiabat::sense {

// What one layer ties together (layer_probe.h).
struct LayerLinks {
    std::vector<net::GroupId> cuts;  // groups among its inputs, ascending
    recon::Matrix pairs;             // E(u, v) of losing two of them; the diagonal is E(u)
    // The share of each width's error in the columns of each of `cuts`, and in each filter: what
    // does not count where those are cut. [widths, cuts], [widths, filters].
    recon::Matrix input_shares, filter_shares;
};

struct Effects {
    int64_t images = 0, directions = 0;
    // |a|^2 is twice the square of the temperature times a tempered divergence; else a squared
    // error.
    bool are_scores = false;
    recon::Vector single;    // |a_u|^2, one a candidate (candidates.h)
    recon::Matrix products;  // A'A; empty where there are fewer rows than candidates
    recon::Rows factor;      // A, [images x directions, candidates], where there are
    std::vector<LayerLinks> layers;

    // Around an incumbent: r0, what it does to the outputs already, enters as <r0, a_u> and |r0|^2.
    std::optional<Incumbent> around;
    recon::Vector residual;
    double residual_square = 0;

    // From every other image: how far two halves of the images agree. Pearson's correlation of the
    // logarithms of single effects, and of the products of different candidates; nothing where
    // nothing was compared: on one image, and of products where they are not kept.
    std::optional<double> agreement, product_agreement;

    int columns() const { return static_cast<int>(single.size()); }
    // <a_u, a_v>.
    double product(int u, int v) const {
        return products.size() > 0 ? products(u, v)
                                   : static_cast<double>(factor.col(u).dot(factor.col(v)));
    }
};

}  // namespace adiabat::sense
