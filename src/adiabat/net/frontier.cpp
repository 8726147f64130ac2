// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/frontier.h"

#include <algorithm>

#include "adiabat/base/errors.h"

namespace adiabat::net {

namespace {

size_t index(ValueId id) { return static_cast<size_t>(id); }

}  // namespace

std::vector<ValueId> values_across(const Graph& graph, int node) {
    const Uses uses(graph);
    std::vector<ValueId> values;
    for (size_t id = 0; id < graph.values.size(); ++id) {
        const auto value = static_cast<ValueId>(id);
        if (graph.constant(value) || uses.producer(value) >= node) continue;
        const auto& readers = uses.readers(value);
        const bool is_fed = uses.producer(value) >= 0 ||
                            std::count(graph.inputs.begin(), graph.inputs.end(), value) > 0;
        if (is_fed &&
            std::any_of(readers.begin(), readers.end(), [&](int reader) { return reader >= node; }))
            values.push_back(value);
    }
    return values;
}

Frontier::Frontier(const Graph& graph, const std::vector<ValueId>& inputs)
    : graph_(graph), uses_(graph), available_(graph.values.size(), false) {
    for (ValueId id : inputs) available_[index(id)] = true;
}

void Frontier::plan(size_t step, const std::vector<ValueId>& wanted) {
    needs_.resize(step + 1);
    for (ValueId id : wanted) walk(id, needs_[step]);
    for (ValueId id : needs_[step]) last_use_[id] = step;
    for (ValueId id : wanted) {
        if (id != kNoValue) available_[index(id)] = true;
    }
}

std::vector<Feed> Frontier::feeds(size_t step) const {
    std::vector<Feed> feeds;
    for (ValueId id : needs_[step]) feeds.push_back({id, &live_.at(id)});
    return feeds;
}

void Frontier::set(ValueId id, Tensor tensor) {
    if (last_use_.contains(id)) live_[id] = std::move(tensor);
}

void Frontier::drop_after(size_t step) {
    std::erase_if(live_, [&](const auto& entry) { return last_use_.at(entry.first) <= step; });
}

void Frontier::walk(ValueId id, std::vector<ValueId>& found) const {
    if (id == kNoValue || graph_.constant(id)) return;
    if (available_[index(id)]) {
        if (std::find(found.begin(), found.end(), id) == found.end()) found.push_back(id);
        return;
    }
    const int producer = uses_.producer(id);
    ADIABAT_CHECK(producer >= 0, "{} is not computed", graph_.value(id).name);
    for (ValueId input : graph_.nodes[index(producer)].inputs) walk(input, found);
}

}  // namespace adiabat::net
