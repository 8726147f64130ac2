// SPDX-License-Identifier: Apache-2.0
//
// Whether every technique finds the optimum of small problems: 1,000 random ones of each form, 1 to
// 20 variables, against exhaustive search; how many it misses, and the processor seconds of all.
//
//   adiabat_perf_optima [TECHNIQUE]
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/solve.h"

namespace adiabat::anneal {
namespace {

constexpr int kOfEachForm = 1000, kMostVariables = 20;

// Efforts that suit such small problems; others run as they are with 16 reads.
SolveOptions effort(const std::string& name) {
    SolveOptions options;
    options.technique = name;
    options.threads = 1;
    const std::map<std::string, std::pair<int, std::map<std::string, std::string>>> efforts = {
        {"annealing", {16, {{"sweeps", "200"}}}},
        {"tempering", {16, {{"sweeps", "200"}, {"temperatures", "8"}}}},
        {"population", {64, {{"sweeps", "5"}, {"steps", "20"}}}},
        {"quantum-annealing", {16, {{"sweeps", "100"}, {"slices", "8"}}}},
        {"bifurcation", {32, {{"sweeps", "200"}}}},
        {"memetic", {4, {{"generations", "10"}, {"population", "6"}}}},
        {"descent", {200, {}}},
        {"genetic", {16, {{"generations", "60"}, {"population", "40"}}}},
    };
    if (const auto found = efforts.find(name); found != efforts.end()) {
        options.reads = found->second.first;
        options.values = found->second.second;
    }
    return options;
}

struct Known {
    qubo::Problem problem;
    double optimum = 0;
};

std::vector<Known> known_problems(testing::Form form) {
    std::vector<Known> known;
    for (int k = 0; k < kOfEachForm; ++k) {
        auto problem =
            testing::random_problem(form, 1 + k % kMostVariables, 5000 + static_cast<uint64_t>(k));
        const double optimum = solve(problem, effort("exhaustive")).lowest.front().energy;
        known.push_back({std::move(problem), optimum});
    }
    return known;
}

void run(const char* only) {
    std::vector<std::vector<Known>> forms;
    for (const testing::Form form : testing::kForms) forms.push_back(known_problems(form));
    fmt::print("{:<18} {:>7} {:>7} {:>9}   of {} each\n", "misses", "dense", "sparse", "factored",
               kOfEachForm);
    for (const Technique* const technique : techniques()) {
        if (only && std::string(only) != technique->name) continue;
        std::vector<int> misses;
        const std::clock_t start = std::clock();
        for (const auto& known : forms) {
            int& missed = misses.emplace_back(0);
            for (const auto& [problem, optimum] : known) {
                const double found = solve(problem, effort(technique->name)).lowest.front().energy;
                missed += found > optimum + 1e-9 * (1 + std::abs(optimum));
            }
        }
        fmt::print("{:<18} {:>7} {:>7} {:>9}   {:.1f} s\n", technique->name, misses[0], misses[1],
                   misses[2], static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
        std::fflush(stdout);
    }
}

}  // namespace
}  // namespace adiabat::anneal

int main(int argc, char** argv) {
    adiabat::anneal::run(argc > 1 ? argv[1] : nullptr);
    return 0;
}
