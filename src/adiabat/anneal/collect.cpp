// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/collect.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <numeric>
#include <string_view>

#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/polish.h"
#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr double kHurrySeconds = 0.02;

// One read's two solutions; empty where there is none.
struct Both {
    Solution best, last;
};

class Collector {
  public:
    Collector(const qubo::Problem& original, const Reduction& reduction,
              const CollectOptions& options, const Watch& watch)
        : original_(original), reduction_(reduction), options_(options), watch_(watch) {}

    // Whether the read keeps the constraints, mended if need be.
    bool solve(const Read& read, bool hurry, Both& both) const {
        const auto n = static_cast<size_t>(reduction_.problem().variables());
        std::vector<uint8_t> best(read.best.begin(), read.best.begin() + static_cast<long>(n));
        std::vector<uint8_t> last(read.last.begin(), read.last.begin() + static_cast<long>(n));
        if (!mend(best, hurry) || !mend(last, hurry)) return false;
        both.last = solution(last);
        if (options_.polish && !hurry)
            polish(reduction_.problem(), best, options_.tolerance, true, watch_);
        both.best = best == last ? both.last : solution(best);
        // Mending may have turned the order around.
        if (both.last.energy < both.best.energy) both.best = both.last;
        return true;
    }

  private:
    bool mend(std::vector<uint8_t>& x, bool hurry) const {
        if (reduction_.problem().constraints.keeps(x)) return true;
        auto mended = repaired(reduction_.problem(), x, options_.seed, hurry ? 1 : 20);
        if (mended) x = std::move(*mended);
        return mended.has_value();
    }

    Solution solution(const std::vector<uint8_t>& x) const {
        auto whole = reduction_.extended(x);
        const double energy = original_.energy(whole);
        return {std::move(whole), energy, 1};
    }

    const qubo::Problem& original_;
    const Reduction& reduction_;
    const CollectOptions& options_;
    const Watch& watch_;
};

}  // namespace

Collected collect(const qubo::Problem& original, const Reduction& reduction,
                  const std::vector<Read>& reads, const CollectOptions& options,
                  const Watch& watch) {
    std::vector<size_t> order(reads.size());
    std::iota(order.begin(), order.end(), size_t{0});
    if (watch.over())
        std::ranges::stable_sort(order, {}, [&](size_t r) { return reads[r].energy; });
    const Collector collector(original, reduction, options, watch);
    std::vector<Both> found(reads.size());
    std::vector<char> good(reads.size(), 0);
    std::atomic<size_t> next{0};
    const double start = watch.seconds();
    parallel_for(std::min<int64_t>(options.threads, static_cast<int64_t>(reads.size())),
                 options.threads, [&](int64_t, int64_t, int) {
                     for (size_t k = next++; k < order.size(); k = next++) {
                         const bool hurry = watch.over();
                         if (hurry && k > 0 && watch.seconds() - start > kHurrySeconds) return;
                         const size_t r = order[k];
                         good[r] = collector.solve(reads[r], hurry, found[r]) ? 1 : 0;
                     }
                 });
    Collected collected;
    for (size_t r = 0; r < reads.size(); ++r) {
        if (good[r] == 0) {
            ++collected.dropped;
            continue;
        }
        collected.best.push_back(std::move(found[r].best));
        collected.last.push_back(std::move(found[r].last));
    }
    return collected;
}

Solutions aggregated(const Collected& collected, int keep, bool complete) {
    std::map<std::string_view, size_t> places;
    std::vector<const Solution*> different;
    std::vector<int> counts;
    const auto add = [&](const Solution& solution) {
        // An empty view of a vector may be null.
        const std::string_view key(
            solution.x.empty() ? "" : reinterpret_cast<const char*>(solution.x.data()),
            solution.x.size());
        const auto [place, is_new] = places.emplace(key, different.size());
        if (is_new) {
            different.push_back(&solution);
            counts.push_back(0);
        }
        ++counts[place->second];
    };
    for (size_t r = 0; r < collected.best.size(); ++r) {
        add(collected.best[r]);
        // One read meets a state once, wherever it met it.
        if (collected.last[r].x != collected.best[r].x) add(collected.last[r]);
    }
    std::vector<size_t> order(different.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, {}, [&](size_t k) { return different[k]->energy; });
    Solutions solutions{{}, complete};
    for (const size_t k : order) {
        if (solutions.all.size() == static_cast<size_t>(keep)) break;
        solutions.all.push_back(*different[k]);
        solutions.all.back().multiplicity = counts[k];
    }
    return solutions;
}

}  // namespace adiabat::anneal
