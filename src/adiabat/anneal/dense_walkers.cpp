// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/dense_walkers.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/fixed_point.h"
#include "adiabat/anneal/kernels/dense_pairs.h"
#include "adiabat/anneal/kernels/dense_rows.h"
#include "adiabat/base/errors.h"

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
struct DenseModel final : Model {
    int variables() const override { return n; }
    std::unique_ptr<Walkers> walkers(int replicas, uint64_t seed,
                                     uint32_t first_replica) const override;
    int replicas_together() const override { return static_cast<int>(kDenseTogether); }
    uint64_t memory_bytes() const override { return sizeof(Int) * size * (view().stride + 1); }
    uint64_t walker_bytes(int replicas) const override {
        return static_cast<uint64_t>(replicas) * (2 * sizeof(Int) * size + size / 4);
    }

    DenseRows<Int> view() const { return {rows.get(), size, DenseRows<Int>::stride_of(size)}; }

    int n = 0;
    size_t size = 0;  // n, padded
    double unit = 1, offset = 0;
    Moves moves = Moves::kFlips;
    Aligned<Int> rows, linear;
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
            restore(r);
        }
    }

    int replicas() const override { return static_cast<int>(replicas_.size()); }

    void set_state(int replica, std::span<const uint8_t> x) override {
        DenseReplica<Int>& r = at(replica);
        std::fill_n(r.bits, model_.size / 64, 0);
        for (size_t i = 0; i < x.size(); ++i) r.bits[i / 64] |= uint64_t{x[i] != 0} << (i % 64);
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
        size_t operations = 0;
        for (size_t first = 0; first < model_.size; first += kDensePadding) {
            if (operations == 0 && watch.over()) return;
            operations += kDensePadding * model_.size * drives.size();
            if (operations > kMostOperations) operations = 0;
            sweep_dense_group<Int>(model_.view(), replicas_, drives, {seed_, sweep, first});
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
        DenseReplica<Int>& r = at(replica);
        const auto i = static_cast<size_t>(variable);
        const Int sign = r.signs[i];
        note_flips(r, model_.size, i / 64 * 64, static_cast<int64_t>((r.fields[i] ^ sign) - sign),
                   r.bits[i / 64] ^ uint64_t{1} << (i % 64));
        const Int* const row = model_.rows.get() + i * model_.view().stride;
        for (size_t j = 0; j < model_.size; ++j)
            r.fields[j] = static_cast<Int>(r.fields[j] + (sign == 0 ? row[j] : -row[j]));
        r.signs[i] = static_cast<Int>(~sign);
    }

    double change(int replica, int variable) const override {
        const DenseReplica<Int>& r = at(replica);
        const auto i = static_cast<size_t>(variable);
        return model_.unit * static_cast<double>((r.fields[i] ^ r.signs[i]) - r.signs[i]);
    }

    void copy(int from, int to) override {
        const DenseReplica<Int>& source = at(from);
        DenseReplica<Int>& target = at(to);
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
    void sweep_pairs(std::span<const DenseDrive> drives, uint32_t sweep, const Watch& watch) {
        size_t operations = 0;
        for (size_t r = 0; r < replicas_.size(); ++r) {
            for (int i = 0; i < model_.n; ++i) {
                if (operations == 0 && watch.over()) return;
                operations += 4 * model_.size;
                if (operations > kMostOperations) operations = 0;
                pair_move(model_.view(), replicas_[r], drives[r], seed_, sweep,
                          static_cast<size_t>(i));
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
        std::copy_n(model_.linear.get(), model_.size, r.fields);
        add_dense_rows(model_.view(), r.bits, r.fields);
        int64_t twice = 0;
        for (size_t i = 0; i < n; ++i) {
            const bool set = r.bits[i / 64] >> (i % 64) & 1;
            r.signs[i] = set ? Int{-1} : Int{0};
            if (set) twice += int64_t{model_.linear[i]} + r.fields[i];
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
};

template <typename Int>
std::unique_ptr<Walkers> DenseModel<Int>::walkers(int replicas, uint64_t seed,
                                                  uint32_t first_replica) const {
    return std::make_unique<DenseWalkers<Int>>(*this, replicas, seed, first_replica);
}

template <typename Int>
std::unique_ptr<const Model> build(const qubo::Dense& problem, int exponent, Moves moves,
                                   const Watch& watch) {
    auto model = std::make_unique<DenseModel<Int>>();
    model->n = problem.variables();
    model->size = padded(model->n);
    const size_t stride = DenseRows<Int>::stride_of(model->size);
    model->unit = std::ldexp(1.0, exponent);
    model->offset = problem.offset();
    model->moves = moves;
    model->rows = allocate<Int>(model->size * stride);
    model->linear = allocate<Int>(model->size);
    std::fill_n(model->linear.get(), model->size, kNeverField<Int>);
    const double scale = std::ldexp(1.0, -exponent);
    const auto in_units = [scale](double value) {
        return static_cast<Int>(std::nearbyint(value * scale));
    };
    for (int i = 0; i < model->n; ++i) {
        if (watch.over()) return nullptr;
        const auto k = static_cast<size_t>(i);
        model->linear[k] = in_units(problem.linear(i));
        std::ranges::transform(problem.row(i), model->rows.get() + k * stride, in_units);
    }
    return model;
}

}  // namespace

std::unique_ptr<const Model> make_dense_model(const qubo::Dense& problem, const Watch& watch,
                                              Moves moves) {
    FixedPointSurvey survey;
    for (int i = 0; i < problem.variables(); ++i) {
        if (watch.over()) return nullptr;
        survey.add(problem.linear(i));
        double sum = std::abs(problem.linear(i));
        for (const double value : problem.row(i)) sum += std::abs(value);
        // Once a digit is too fine the others do not matter.
        if (survey.fits_exactly(kMostField<int32_t>))
            for (const double value : problem.row(i)) survey.add(value);
        survey.add_row(sum, problem.row(i).size() + 1);
    }
    if (survey.fits_exactly(kMostField<int16_t>))
        return build<int16_t>(problem, survey.exponent(kMostField<int16_t>), moves, watch);
    return build<int32_t>(problem, survey.exponent(kMostField<int32_t>), moves, watch);
}

}  // namespace adiabat::anneal
