// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/dense_walkers.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "adiabat/anneal/fixed_point.h"
#include "adiabat/anneal/kernels/dense_pairs.h"
#include "adiabat/anneal/kernels/dense_rows.h"
#include "adiabat/anneal/lane_bundle.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/huge_pages.h"

namespace adiabat::anneal {

namespace {

// Between two looks at the watch: a few milliseconds of flips.
constexpr size_t kMostOperations = 20'000'000;

template <typename T>
using Aligned = hwy::AlignedFreeUniquePtr<T[]>;

template <typename T>
Aligned<T> allocate(size_t count) {
    auto memory = hwy::AllocateAligned<T>(std::max<size_t>(count, 1));
    if (!memory) throw std::bad_alloc();
    std::fill_n(memory.get(), count, T{});
    return memory;
}

size_t padded(int variables) {
    const auto n = static_cast<size_t>(variables);
    return (n + kDensePadding - 1) / kDensePadding * kDensePadding;
}

template <typename Int>
struct DenseModel final : Model, DenseBatchModel {
    int variables() const override { return n; }
    std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                     uint32_t first_replica) const override;
    std::unique_ptr<Walkers> walkers(std::span<const int> numbers, uint64_t seed,
                                     uint32_t first_replica) const override;
    int replicas_together() const override { return static_cast<int>(kDenseLanes); }
    uint64_t memory_bytes() const override {
        return sizeof(Int) * size * (view().stride + 1) +
               (lanes_can_pay() ? DenseLaneCouplings::most_bytes(size) : 0);
    }
    uint64_t walker_bytes(int replicas) const override {
        const uint64_t lanes = lanes_can_pay() ? 8 : 0;
        return static_cast<uint64_t>(replicas) * ((2 * sizeof(Int) + lanes) * size + size / 4);
    }

    bool lanes_can_pay() const { return size <= kMostInLanes; }
    // Made when first asked for: cold walks never do.
    const DenseLaneCouplings& couplings() const {
        std::call_once(couplings_made, [&] {
            lane_couplings = DenseLaneCouplings::of(view(), static_cast<size_t>(n));
        });
        return lane_couplings;
    }

    DenseRows<Int> view() const { return {rows.data(), size, DenseRows<Int>::stride_of(size)}; }

    int n = 0;
    size_t size = 0;  // n, padded
    double unit = 1, offset = 0;
    Moves moves = Moves::kFlips;
    int digits = 1;        // of a coupling in lanes
    HugeVector<Int> rows;  // in pages, so aligned
    Aligned<Int> linear;
    mutable std::once_flag couplings_made;
    mutable DenseLaneCouplings lane_couplings;
    std::vector<Aligned<Int>> batch;  // linear terms of the problems of a batch, padded
};

template <typename Int>
class DenseWalkers final : public Walkers {
  public:
    DenseWalkers(const DenseModel<Int>& model, int replicas, uint64_t seed, uint32_t first)
        : model_(model), seed_(seed), first_(first) {
        for (int r = 0; r < replicas; ++r) {
            Storage& storage = storage_.emplace_back();
            storage.fields = allocate<Int>(model.size);
            storage.signs = allocate<Int>(model.size);
            storage.bits = allocate<uint64_t>(model.size / 64);
            storage.best_bits = allocate<uint64_t>(model.size / 64);
            replicas_.push_back({storage.fields.get(), storage.signs.get(), storage.bits.get(),
                                 storage.best_bits.get()});
            linear_.push_back(model.linear.get());
        }
        const std::span<DenseReplica<Int>> all(replicas_);
        for (size_t r = 0; r < all.size(); r += kDenseLanes)
            bundles_.emplace_back(all.subspan(r, std::min(kDenseLanes, all.size() - r)),
                                  model.size);
        for (int r = 0; r < replicas; ++r) restore(r);
    }
    DenseWalkers(const DenseModel<Int>& model, std::span<const int> numbers, uint64_t seed,
                 uint32_t first)
        : DenseWalkers(model, static_cast<int>(numbers.size()), seed, first) {
        for (size_t r = 0; r < numbers.size(); ++r) {
            linear_[r] = model.batch[static_cast<size_t>(numbers[r])].get();
            restore(static_cast<int>(r));
        }
    }

    int replicas() const override { return static_cast<int>(replicas_.size()); }

    void set_state(int replica, std::span<const uint8_t> x) override {
        DenseReplica<Int>& r = at(replica);
        std::fill_n(r.bits, model_.size / 64, 0);
        for (size_t i = 0; i < x.size(); ++i) r.bits[i / 64] |= uint64_t{x[i] != 0} << (i % 64);
        to_rows(replica);
        restore(replica);
    }

    void sweep(std::span<const double> betas, uint32_t sweep, const Watch& watch) override {
        std::vector<DenseDrive> drives(replicas_.size());
        for (size_t r = 0; r < drives.size(); ++r) {
            drives[r].replica = first_ + static_cast<uint32_t>(r);
            // Finite, so that 0 * units_per_t is a number.
            drives[r].units_per_t =
                static_cast<float>(std::min(1 / (std::max(betas[r], 1e-300) * model_.unit), 1e30));
        }
        for (size_t b = 0; b < bundles_.size(); ++b) {
            if (model_.lanes_can_pay()) bundles_[b].choose(model_.n, model_.digits);
            const std::span<const DenseDrive> own(drives);
            sweep_bundle(bundles_[b], own.subspan(b * kDenseLanes, bundles_[b].replicas().size()),
                         sweep, watch);
        }
        if (model_.moves == Moves::kPairs) sweep_pairs(drives, sweep, watch);
    }

    double energy(int replica) const override { return in_units(at(replica).energy); }
    double best_energy(int replica) const override { return in_units(at(replica).best_energy); }
    std::vector<uint8_t> state(int replica) const override { return unpack(at(replica).bits); }
    std::vector<uint8_t> best(int replica) const override {
        return unpack(at(replica).at_best ? at(replica).bits : at(replica).best_bits);
    }

    void flip(int replica, int variable) override {
        to_rows(replica);
        DenseReplica<Int>& r = at(replica);
        const auto i = static_cast<size_t>(variable);
        const Int sign = r.signs[i];
        note_flips(r, model_.size, i / 64 * 64, static_cast<int64_t>((r.fields[i] ^ sign) - sign),
                   r.bits[i / 64] ^ uint64_t{1} << (i % 64));
        const Int* const row = model_.rows.data() + i * model_.view().stride;
        for (size_t j = 0; j < model_.size; ++j)
            r.fields[j] = static_cast<Int>(r.fields[j] + (sign == 0 ? row[j] : -row[j]));
        r.signs[i] = static_cast<Int>(~sign);
    }

    double change(int replica, int variable) const override {
        to_rows(replica);
        const DenseReplica<Int>& r = at(replica);
        const auto i = static_cast<size_t>(variable);
        return model_.unit * static_cast<double>((r.fields[i] ^ r.signs[i]) - r.signs[i]);
    }

    void copy(int from, int to) override {
        to_rows(from);
        to_rows(to);
        const DenseReplica<Int>& source = at(from);
        DenseReplica<Int>& target = at(to);
        linear_[static_cast<size_t>(to)] = linear_[static_cast<size_t>(from)];
        std::copy_n(source.fields, model_.size, target.fields);
        std::copy_n(source.signs, model_.size, target.signs);
        std::copy_n(source.bits, model_.size / 64, target.bits);
        std::copy_n(source.best_bits, model_.size / 64, target.best_bits);
        target.energy = source.energy;
        target.best_energy = source.best_energy;
        target.at_best = source.at_best;
    }

    int64_t flips() const override {
        int64_t sum = 0;
        for (const auto& replica : replicas_) sum += replica.flips;
        return sum;
    }

  private:
    void sweep_bundle(LaneBundle<Int>& bundle, std::span<const DenseDrive> drives, uint32_t sweep,
                      const Watch& watch) {
        size_t operations = 0;
        for (size_t first = 0; first < model_.size; first += kDensePadding) {
            if (operations == 0 && watch.over()) return;
            operations += kDensePadding * model_.size * drives.size();
            if (operations > kMostOperations) operations = 0;
            const DenseSweep group{seed_, sweep, first};
            if (bundle.in_lanes()) {
                sweep_dense_lanes(model_.couplings(), bundle.state(), bundle.replicas(), drives,
                                  group);
            } else {
                sweep_dense_group<Int>(model_.view(), bundle.replicas(), drives, group);
            }
        }
    }

    // Fields and signs as rows have them.
    void to_rows(int replica) const {
        bundles_[static_cast<size_t>(replica) / kDenseLanes].to_rows();
    }

    void sweep_pairs(std::span<const DenseDrive> drives, uint32_t sweep, const Watch& watch) {
        size_t operations = 0;
        for (size_t r = 0; r < replicas_.size(); ++r) {
            to_rows(static_cast<int>(r));
            for (int i = 0; i < model_.n; ++i) {
                if (operations == 0 && watch.over()) return;
                operations += 4 * model_.size;
                if (operations > kMostOperations) operations = 0;
                const PairDraw draw{seed_, sweep, drives[r].replica, static_cast<uint32_t>(i)};
                pair_move(model_.view(), replicas_[r], drives[r].units_per_t, draw,
                          first_of_pair(draw, model_.n));
            }
        }
    }

    struct Storage {
        Aligned<Int> fields, signs;
        Aligned<uint64_t> bits, best_bits;
    };

    DenseReplica<Int>& at(int r) { return replicas_[static_cast<size_t>(r)]; }
    const DenseReplica<Int>& at(int r) const { return replicas_[static_cast<size_t>(r)]; }
    double in_units(int64_t energy) const {
        return model_.offset + model_.unit * static_cast<double>(energy);
    }

    // Fields, signs and energy from the bits.
    void restore(int replica) {
        DenseReplica<Int>& r = at(replica);
        const auto n = static_cast<size_t>(model_.n);
        const Int* const linear = linear_[static_cast<size_t>(replica)];
        std::copy_n(linear, model_.size, r.fields);
        add_dense_rows(model_.view(), r.bits, r.fields);
        int64_t twice = 0;
        for (size_t i = 0; i < n; ++i) {
            const bool set = r.bits[i / 64] >> (i % 64) & 1;
            r.signs[i] = set ? Int{-1} : Int{0};
            if (set) twice += int64_t{linear[i]} + r.fields[i];
        }
        r.energy = r.best_energy = twice / 2;
        r.at_best = true;
    }

    std::vector<uint8_t> unpack(const uint64_t* bits) const {
        std::vector<uint8_t> x(static_cast<size_t>(model_.n));
        for (size_t i = 0; i < x.size(); ++i) x[i] = bits[i / 64] >> (i % 64) & 1;
        return x;
    }

    const DenseModel<Int>& model_;
    uint64_t seed_;
    uint32_t first_;
    std::vector<Storage> storage_;
    std::vector<DenseReplica<Int>> replicas_;
    mutable std::vector<LaneBundle<Int>> bundles_;  // of the replicas; moved on looking, too
    std::vector<const Int*> linear_;                // of each replica, the model's
};

template <typename Int>
std::unique_ptr<Walkers> DenseModel<Int>::walkers(int replicas, uint64_t seed,
                                                  uint32_t first_replica) const {
    return std::make_unique<DenseWalkers<Int>>(*this, replicas, seed, first_replica);
}

template <typename Int>
std::unique_ptr<Walkers> DenseModel<Int>::walkers(std::span<const int> numbers, uint64_t seed,
                                                  uint32_t first_replica) const {
    return std::make_unique<DenseWalkers<Int>>(*this, numbers, seed, first_replica);
}

// To the nearest whole number, ties to even, in a form that compilers vectorize: the sum has no
// bits behind the point.
template <typename Int>
struct InUnits {
    double scale;
    Int operator()(double value) const {
        constexpr double kMagic = 0x1.8p52;
        return static_cast<Int>(value * scale + kMagic - kMagic);
    }
};

template <typename Int>
std::unique_ptr<DenseModel<Int>> build(const qubo::Dense& problem, int exponent, Moves moves,
                                       const Watch& watch) {
    auto model = std::make_unique<DenseModel<Int>>();
    model->n = problem.variables();
    model->size = padded(model->n);
    const size_t stride = DenseRows<Int>::stride_of(model->size);
    model->unit = std::ldexp(1.0, exponent);
    model->offset = problem.offset();
    model->moves = moves;
    model->rows = HugeVector<Int>(model->size * stride);
    model->linear = allocate<Int>(model->size);
    std::fill_n(model->linear.get(), model->size, kNeverField<Int>);
    const InUnits<Int> in_units{std::ldexp(1.0, -exponent)};
    for (int i = 0; i < model->n; ++i) {
        if (watch.over()) return nullptr;
        const auto k = static_cast<size_t>(i);
        model->linear[k] = in_units(problem.linear(i));
        Int* const row = model->rows.data() + k * stride;
        std::ranges::transform(problem.row(i), row, in_units);
        if (!DenseLaneCouplings::is_one_digit<Int>({row, model->size})) model->digits = 2;
    }
    return model;
}

// What the choice of a unit needs; false where the watch was over.
bool survey_rows(const qubo::Dense& problem, FixedPointSurvey& survey, const Watch& watch,
                 std::span<const double> largest_linear = {}) {
    for (int i = 0; i < problem.variables(); ++i) {
        if (watch.over()) return false;
        double sum = std::abs(problem.linear(i));
        if (!largest_linear.empty()) sum = std::max(sum, largest_linear[static_cast<size_t>(i)]);
        survey.add(problem.linear(i));
        // Once a digit is too fine the others do not matter.
        sum += survey.fits_exactly(kMostField<int32_t>) ? survey.add_all(problem.row(i))
                                                        : sum_of_sizes(problem.row(i));
        survey.add_row(sum, problem.row(i).size() + 1);
    }
    return true;
}

template <typename Int>
std::unique_ptr<const DenseBatchModel> build_batch(const qubo::Dense& couplings, int exponent,
                                                   std::span<const std::vector<double>> linear,
                                                   const Watch& watch) {
    auto model = build<Int>(couplings, exponent, Moves::kFlips, watch);
    if (!model) return nullptr;
    const InUnits<Int> in_units{std::ldexp(1.0, -exponent)};
    for (const std::vector<double>& terms : linear) {
        Aligned<Int>& padded_terms = model->batch.emplace_back(allocate<Int>(model->size));
        std::fill_n(padded_terms.get(), model->size, kNeverField<Int>);
        std::ranges::transform(terms, padded_terms.get(), in_units);
    }
    return model;
}

}  // namespace

std::unique_ptr<const Model> make_dense_model(const qubo::Dense& problem, const Watch& watch,
                                              Moves moves) {
    FixedPointSurvey survey;
    if (!survey_rows(problem, survey, watch)) return nullptr;
    if (survey.fits_exactly(kMostField<int16_t>))
        return build<int16_t>(problem, survey.exponent(kMostField<int16_t>), moves, watch);
    return build<int32_t>(problem, survey.exponent(kMostField<int32_t>), moves, watch);
}

std::unique_ptr<const DenseBatchModel> make_dense_batch_model(
    const qubo::Dense& couplings, std::span<const std::vector<double>> linear, const Watch& watch) {
    std::vector<double> largest(static_cast<size_t>(couplings.variables()), 0.0);
    FixedPointSurvey survey;
    for (const std::vector<double>& terms : linear) {
        for (size_t i = 0; i < terms.size(); ++i)
            largest[i] = std::max(largest[i], std::abs(terms[i]));
        survey.add_all(terms);
    }
    if (!survey_rows(couplings, survey, watch, largest)) return nullptr;
    if (survey.fits_exactly(kMostField<int16_t>))
        return build_batch<int16_t>(couplings, survey.exponent(kMostField<int16_t>), linear, watch);
    return build_batch<int32_t>(couplings, survey.exponent(kMostField<int32_t>), linear, watch);
}

}  // namespace adiabat::anneal
