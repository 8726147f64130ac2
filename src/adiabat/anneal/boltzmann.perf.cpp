// SPDX-License-Identifier: Apache-2.0
//
// Whether every Monte Carlo sweep of every technique leaves the exact distribution of small systems
// unchanged: p-values of chi-square for every technique and form of problem, and for the same
// samplers made wrong on purpose, which the same statistic must reject. The exit code is 1 where a
// sampler has p < 1e-4 or a wrong one has not.
//
//   adiabat_perf_boltzmann [SAMPLES [SEED]]
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <string>

#include "adiabat/anneal/sampler_checks.test.h"

namespace adiabat::anneal {
namespace {

int run(const testing::Effort& effort) {
    int failures = 0;
    fmt::print("{:<18} {:<24} {:>10} {:>8} {:>7}   {}\n", "technique", "problem", "samples", "p",
               "seconds", "p of wrong ones");
    for (const testing::SamplerCheck& check : testing::sampler_checks()) {
        const std::clock_t start = std::clock();
        const double p = check.p_value(effort, {});
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        failures += p < testing::kReject;
        std::string wrong;
        for (const auto& [what, spoiled] : check.wrong) {
            const double spoiled_p = check.p_value(effort, spoiled);
            failures += spoiled_p >= testing::kReject;
            wrong += fmt::format("{}{}: {:.1e}", wrong.empty() ? "" : "; ", what, spoiled_p);
        }
        fmt::print("{:<18} {:<24} {:>10} {:>8.2g} {:>7.2f}   {}\n", check.technique, check.problem,
                   effort.samples, p, seconds, wrong);
        std::fflush(stdout);
    }
    fmt::print("{} of them not as they should be\n", failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace adiabat::anneal

int main(int argc, char** argv) {
    adiabat::anneal::testing::Effort effort;
    if (argc > 1) effort.samples = std::max(200'000LL, std::stoll(argv[1]));
    if (argc > 2) effort.seed = std::stoull(argv[2]);
    return adiabat::anneal::run(effort);
}
