// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/tabu_moves.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "adiabat/anneal/dense_tabu_moves.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/wide.h"

namespace adiabat::anneal {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr size_t kBlock = 16;
constexpr int64_t kFlipsPerVariableBetweenRefreshes = 16;

// dE of every flip, from scratch.
// dE of every flip, and the energy.
FieldsAndEnergy changes_of(const qubo::Problem& problem, std::span<const uint8_t> x,
                           const Watch* watch) {
    auto found = fields_and_energy(problem, x, watch);
    if (!found) return {std::vector<double>(x.size()), std::numeric_limits<double>::infinity()};
    for (size_t i = 0; i < x.size(); ++i)
        found->fields[i] = x[i] ? -found->fields[i] : found->fields[i];
    return std::move(*found);
}

class DenseMoves final : public TabuMoves {
  public:
    DenseMoves(const qubo::Problem& problem, const Watch* watch)
        : problem_(problem),
          watch_(watch),
          dense_(std::get_if<qubo::Dense>(&problem.form)),
          n_(static_cast<size_t>(problem.variables())),
          sign_(n_),
          until_(n_),
          lowest_((n_ + kBlock - 1) / kBlock) {
        if (!dense_) row_.resize(n_);
    }

    void set(std::span<const uint8_t> x) override {
        x_.assign(x.begin(), x.end());
        std::ranges::fill(until_, 0.0);
        refresh();
    }

    int choose(int64_t iteration, double aspiration, uint32_t random) override {
        update(static_cast<double>(iteration));
        if (n_ == 0) return -1;
        const bool aspires = lowest_of_all_ < aspiration;
        const double wanted = aspires ? lowest_of_all_ : *std::ranges::min_element(lowest_);
        if (wanted == kNever) return -1;
        const size_t blocks = lowest_.size();
        const size_t first = static_cast<size_t>((uint64_t{random} * blocks) >> 32);
        for (size_t b = 0; b < blocks; ++b) {
            const size_t block = first + b < blocks ? first + b : first + b - blocks;
            if (!aspires && lowest_[block] != wanted) continue;
            const size_t begin = block * kBlock, size = std::min(kBlock, n_ - begin);
            for (size_t k = 0; k < size; ++k) {
                const size_t i = begin + (k + random % size) % size;
                const bool allowed = aspires || until_[i] <= static_cast<double>(iteration);
                if (allowed && change_[i] == wanted) return static_cast<int>(i);
            }
        }
        return -1;
    }

    void flip(int i, int64_t until, uint32_t) override {
        flush();
        const auto k = static_cast<size_t>(i);
        energy_ += change_[k];
        x_[k] ^= 1;
        sign_[k] = -sign_[k];
        change_[k] = -change_[k];
        until_[k] = static_cast<double>(until);
        // Couplings act on s_i s_j with the new sign of i, from the next update on.
        pending_ = i;
        if (++flips_ >= kFlipsPerVariableBetweenRefreshes * static_cast<int64_t>(n_)) refresh();
    }

    double change(int i) const override {
        const auto k = static_cast<size_t>(i);
        if (pending_ < 0) return change_[k];
        const double sign = -sign_[static_cast<size_t>(pending_)];
        return change_[k] + sign * sign_[k] * problem_.coupling(i, pending_);
    }

    int64_t work() const override {
        const auto n = static_cast<int64_t>(n_);
        if (dense_) return n;
        return n * (1 + std::get<qubo::Factored>(problem_.form).rank());
    }

  private:
    void refresh() {
        auto [changes, energy] = changes_of(problem_, x_, watch_);
        change_ = std::move(changes);
        energy_ = energy;
        for (size_t i = 0; i < n_; ++i) sign_[i] = x_[i] ? -1.0 : 1.0;
        pending_ = -1;
        flips_ = 0;
    }

    void flush() {
        if (pending_ >= 0) update(0);
    }

    // Carries out the pending flip's effect on dE and finds the minima, in one pass.
    void update(double iteration) {
        const double* row = nullptr;
        double factor = 0;
        if (pending_ >= 0) {
            factor = -sign_[static_cast<size_t>(pending_)];
            if (dense_) {
                row = dense_->row(pending_).data();
            } else {
                std::ranges::fill(row_, 0.0);
                problem_.add_row(pending_, 1.0, row_);
                row = row_.data();
            }
            pending_ = -1;
        }
        double* const change = change_.data();
        const double* const sign = sign_.data();
        const double* const until = until_.data();
        double* const lowest = lowest_.data();
        const size_t n = n_, whole = n / kBlock;
        double all[kBlock];
        std::fill_n(all, kBlock, kNever);
        run_wide([&]() ADIABAT_INLINE_BODY {
            for (size_t block = 0; block <= whole; ++block) {
                const size_t begin = block * kBlock;
                const size_t size = block < whole ? kBlock : n - begin;
                if (size == 0) break;
                double free[kBlock];
                if (size == kBlock) {
                    if (row) add<kBlock>(row + begin, sign + begin, factor, change + begin);
                    look<kBlock>(change + begin, until + begin, iteration, free, all);
                } else {
                    std::fill_n(free, kBlock, kNever);
                    for (size_t k = 0; k < size; ++k) {
                        if (row)
                            add<1>(row + begin + k, sign + begin + k, factor, change + begin + k);
                        look<1>(change + begin + k, until + begin + k, iteration, free + k,
                                all + k);
                    }
                }
                lowest[block] = lowest_of(free);
            }
        });
        lowest_of_all_ = lowest_of(all);
    }

    template <size_t kSize>
    static ADIABAT_INLINE_BODY inline void add(const double* row, const double* sign, double factor,
                                               double* change) {
        for (size_t k = 0; k < kSize; ++k) change[k] += factor * sign[k] * row[k];
    }
    template <size_t kSize>
    static ADIABAT_INLINE_BODY inline void look(const double* change, const double* until,
                                                double iteration, double* free, double* all) {
        for (size_t k = 0; k < kSize; ++k) {
            free[k] = until[k] <= iteration ? change[k] : kNever;
            all[k] = change[k] < all[k] ? change[k] : all[k];
        }
    }
    static ADIABAT_INLINE_BODY inline double lowest_of(const double* values) {
        double half[kBlock];
        std::copy_n(values, kBlock, half);
        for (size_t width = kBlock / 2; width > 0; width /= 2)
            for (size_t k = 0; k < width; ++k)
                half[k] = half[k + width] < half[k] ? half[k + width] : half[k];
        return half[0];
    }

    const qubo::Problem& problem_;
    const Watch* watch_;
    const qubo::Dense* dense_;
    size_t n_;
    std::vector<double> change_, sign_, until_, row_;
    std::vector<double> lowest_;  // of the free variables of each block
    double lowest_of_all_ = kNever;
    int pending_ = -1;
    int64_t flips_ = 0;
};

class SparseMoves final : public TabuMoves {
  public:
    explicit SparseMoves(const qubo::Problem& problem)
        : problem_(problem),
          sparse_(std::get<qubo::Sparse>(problem.form)),
          n_(static_cast<size_t>(problem.variables())),
          leaves_(std::bit_ceil(std::max<size_t>(1, n_))),
          winner_(2 * leaves_, -1),
          priority_(n_),
          is_tabu_(n_) {}

    void set(std::span<const uint8_t> x) override {
        x_.assign(x.begin(), x.end());
        tabu_.clear();
        std::ranges::fill(is_tabu_, uint8_t{0});
        refresh();
    }

    int choose(int64_t iteration, double aspiration, uint32_t) override {
        std::erase_if(tabu_, [&](const Tabu& entry) {
            if (entry.until > iteration) return false;
            is_tabu_[static_cast<size_t>(entry.variable)] = 0;
            enter(entry.variable);
            return true;
        });
        int chosen = winner_[1];
        for (const Tabu& entry : tabu_) {
            const double own = change(entry.variable);
            if (own >= aspiration || (chosen >= 0 && own >= change(chosen))) continue;
            chosen = entry.variable;
        }
        return chosen;
    }

    void flip(int i, int64_t until, uint32_t random) override {
        const auto k = static_cast<size_t>(i);
        energy_ += change_[k];
        x_[k] ^= 1;
        change_[k] = -change_[k];
        priority_[k] = random;
        // A variable that was flipped by aspiration is tabu anew.
        if (is_tabu_[k]) std::erase_if(tabu_, [i](const Tabu& t) { return t.variable == i; });
        is_tabu_[k] = until > 0;
        if (until > 0) tabu_.push_back({i, until});
        enter(i);
        const auto row = sparse_.neighbors(i);
        const auto couplings = sparse_.couplings(i);
        for (size_t e = 0; e < row.size(); ++e) {
            const auto j = static_cast<size_t>(row[e]);
            // After the flip: dE_j has gained -J (1 - 2 x_i)(1 - 2 x_j) with the new x_i.
            change_[j] += x_[j] == x_[k] ? -couplings[e] : couplings[e];
            enter(row[e]);
        }
        if (++flips_ >= kFlipsPerVariableBetweenRefreshes * static_cast<int64_t>(n_)) refresh();
    }

    double change(int i) const override { return change_[static_cast<size_t>(i)]; }
    int64_t work() const override { return 200 + static_cast<int64_t>(tabu_.size()); }

  private:
    struct Tabu {
        int variable;
        int64_t until;
    };

    void refresh() {
        auto [changes, energy] = changes_of(problem_, x_, nullptr);
        change_ = std::move(changes);
        energy_ = energy;
        flips_ = 0;
        for (size_t i = 0; i < n_; ++i)
            winner_[leaves_ + i] = is_tabu_[i] ? -1 : static_cast<int>(i);
        for (size_t node = leaves_ - 1; node > 0; --node) play(node);
    }

    void play(size_t node) {
        const int a = winner_[2 * node], b = winner_[2 * node + 1];
        winner_[node] = a < 0 ? b : b < 0 ? a : better(a, b);
    }
    int better(int a, int b) const {
        const auto i = static_cast<size_t>(a), j = static_cast<size_t>(b);
        if (change_[i] != change_[j]) return change_[i] < change_[j] ? a : b;
        return priority_[i] <= priority_[j] ? a : b;
    }
    // Puts a variable where it now belongs in the tree.
    void enter(int i) {
        const auto k = static_cast<size_t>(i);
        winner_[leaves_ + k] = is_tabu_[k] ? -1 : i;
        for (size_t node = (leaves_ + k) / 2; node > 0; node /= 2) play(node);
    }

    const qubo::Problem& problem_;
    const qubo::Sparse& sparse_;
    size_t n_, leaves_;
    std::vector<int> winner_;  // of each node's subtree, -1 for none; the root is node 1
    std::vector<uint32_t> priority_;
    std::vector<uint8_t> is_tabu_;
    std::vector<Tabu> tabu_;
    std::vector<double> change_;
    int64_t flips_ = 0;
};

}  // namespace

std::unique_ptr<TabuMoves> make_tabu_moves(const qubo::Problem& problem, const Watch* watch) {
    if (std::holds_alternative<qubo::Sparse>(problem.form))
        return std::make_unique<SparseMoves>(problem);
    const auto* const dense = std::get_if<qubo::Dense>(&problem.form);
    if (dense && dense->variables() <= kMostForFixedTabu) return make_dense_tabu_moves(*dense);
    return std::make_unique<DenseMoves>(problem, watch);
}

uint64_t tabu_moves_bytes(const qubo::Problem& problem) {
    const auto n = static_cast<uint64_t>(problem.variables());
    if (std::holds_alternative<qubo::Sparse>(problem.form)) return 40 * n;
    const bool fixed = std::holds_alternative<qubo::Dense>(problem.form) &&
                       problem.variables() <= kMostForFixedTabu;
    return 36 * n + (fixed ? 4 * (n + 64) * (n + 64) : 0);
}

}  // namespace adiabat::anneal
