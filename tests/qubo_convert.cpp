// SPDX-License-Identifier: Apache-2.0
//
// For tests/: reads a problem, prints the energies of assignments of zeros and ones, and writes it
// in another format.
//
//     adiabat_qubo_convert IN FORMAT|auto OUT|- FORMAT|auto [0110..]...

#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "adiabat/qubo/formats/formats.h"

int main(int argc, char** argv) try {
    using namespace adiabat;
    if (argc < 5) return 2;
    const std::string in = argv[1], out = argv[3];
    const auto format = [&](int k) -> std::optional<qubo::Format> {
        const std::string name = argv[k];
        if (name == "auto") return {};
        return qubo::format_of_name(name);
    };
    const qubo::Problem problem = qubo::read_problem(in, format(2));
    for (int k = 5; k < argc; ++k) {
        std::vector<uint8_t> x;
        for (const char bit : std::string(argv[k])) x.push_back(bit == '1' ? 1 : 0);
        if (x.size() != static_cast<size_t>(problem.variables())) return 2;
        std::printf("%.17g %d\n", problem.energy(x), problem.constraints.keeps(x) ? 1 : 0);
    }
    if (out != "-") qubo::write_problem(problem, out, format(4));
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
