// SPDX-License-Identifier: Apache-2.0
//
// Whether every technique finds the optimum of small problems: random ones of 1 to 20 variables in
// each form and by way of a file of each format (+c: with a budget and groups), against all
// assignments; how many it misses, and the processor seconds. 1,000 of each by default, which takes
// some eight minutes on one core.
//
//   adiabat_perf_optima [--problems N] [--technique NAME] [--format NAME]
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/anneal/optima.test.h"

namespace adiabat::anneal {
namespace {

constexpr const char* kHelp =
    "How many optima of small random problems each technique misses, by form and file format.\n"
    "  --problems N      of each form and format, 1 to 20 variables (default 1000: eight minutes "
    "on "
    "one core)\n"
    "  --technique NAME  this one alone\n"
    "  --format NAME     this form or format alone: dense, coo, lp, lp+c (with constraints), ..\n";

struct Wanted {
    int problems = 1000;
    std::string technique, format;
};

void run(const Wanted& wanted) {
    std::vector<testing::Origin> origins = testing::origins();
    if (!wanted.format.empty())
        std::erase_if(origins, [&](const auto& origin) { return origin.name != wanted.format; });
    std::vector<std::vector<testing::Known>> problems;
    fmt::print("{:<17}", fmt::format("misses of {}", wanted.problems));
    for (const auto& origin : origins) {
        fmt::print(" {:>{}}", origin.name, std::max<size_t>(6, origin.name.size()));
        std::fflush(stdout);
        auto& known = problems.emplace_back();
        for (int k = 0; k < wanted.problems; ++k)
            known.push_back(testing::known_problem(origin, k));
    }
    fmt::print("  seconds\n");
    for (const Technique* const technique : techniques()) {
        if (!wanted.technique.empty() && wanted.technique != technique->name) continue;
        fmt::print("{:<17}", technique->name);
        const std::clock_t start = std::clock();
        for (size_t o = 0; o < origins.size(); ++o) {
            int missed = 0;
            for (const auto& known : problems[o]) missed += testing::misses(technique->name, known);
            fmt::print(" {:>{}}", missed, std::max<size_t>(6, origins[o].name.size()));
            std::fflush(stdout);
        }
        fmt::print("  {:.1f}\n", static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
}

}  // namespace
}  // namespace adiabat::anneal

int main(int argc, char** argv) {
    adiabat::anneal::Wanted wanted;
    for (int k = 1; k < argc; k += 2) {
        const std::string_view option = argv[k];
        if (k + 1 < argc && option == "--problems") {
            wanted.problems = std::atoi(argv[k + 1]);
        } else if (k + 1 < argc && option == "--technique") {
            wanted.technique = argv[k + 1];
        } else if (k + 1 < argc && option == "--format") {
            wanted.format = argv[k + 1];
        } else {
            fmt::print("{}", adiabat::anneal::kHelp);
            return option == "--help" ? 0 : 2;
        }
    }
    adiabat::anneal::run(wanted);
    return 0;
}
