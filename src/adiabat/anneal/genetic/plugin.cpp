// SPDX-License-Identifier: Apache-2.0

// pagmo's simple genetic algorithm (sga) on n whole numbers between 0 and 1: binary tournaments,
// single-point crossover, uniform mutation. Generations are made one at a time, so that a run can
// be ended between them. Source: F. Biscani, D. Izzo, "A parallel global multiobjective framework
// for optimization: pagmo" (2020).

#include "adiabat/anneal/genetic/plugin.h"

#include <pagmo/algorithms/sga.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <utility>

namespace adiabat::anneal {

namespace {

// Ends a generation in the middle.
struct Ended {};

class BinaryProblem {
  public:
    BinaryProblem() = default;  // pagmo asks for one
    explicit BinaryProblem(const GeneticJob& job) : job_(&job) {}

    pagmo::vector_double fitness(const pagmo::vector_double& genes) const {
        // Repair: whatever an operator made of a gene becomes the nearer value.
        std::vector<uint8_t> x(genes.size());
        for (size_t i = 0; i < x.size(); ++i) x[i] = genes[i] >= 0.5;
        const double energy = job_->energy(x);
        // What is left of the generation would take longer than whoever ended it waits.
        if (job_->over()) throw Ended();
        return {energy};
    }
    std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
        const size_t n = job_ ? job_->population[0].size() : 1;
        return {pagmo::vector_double(n, 0.0), pagmo::vector_double(n, 1.0)};
    }
    pagmo::vector_double::size_type get_nix() const {
        return job_ ? job_->population[0].size() : 1;
    }
    template <typename Archive>
    void serialize(Archive&, unsigned) {}

  private:
    const GeneticJob* job_ = nullptr;
};

}  // namespace

}  // namespace adiabat::anneal

extern "C" __attribute__((visibility("default"))) int64_t adiabat_genetic_1(
    const adiabat::anneal::GeneticJob& job) {
    int64_t generation = 0;
    try {
        pagmo::population population(pagmo::problem(adiabat::anneal::BinaryProblem(job)), 0,
                                     job.seed);
        for (const auto& x : job.population)
            population.push_back(pagmo::vector_double(x.begin(), x.end()));
        const pagmo::sga algorithm(1, job.crossover, 1.0, job.mutation, 1.0, 2, "single", "uniform",
                                   "tournament", job.seed);
        for (; generation < job.generations && !job.over(); ++generation)
            population = algorithm.evolve(std::move(population));
    } catch (const adiabat::anneal::Ended&) {
        return generation;
    }
    return generation;
}
