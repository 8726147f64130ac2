// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/plan_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/record.h"

namespace adiabat::pipeline {

namespace {

// A name as documents have it: bytes that are not UTF-8 are replaced there.
std::string as_written(const std::string& name) {
    return Json::parse(to_text(Json(name))).get<std::string>();
}

std::string listed(const std::vector<int>& numbers) {
    std::string text;
    for (int number : numbers) text += fmt::format("{}{}", text.empty() ? "" : ", ", number);
    return text;
}

// Families of which no layer's filter axis says what is cut.
std::set<int> unlisted_families(const plan::Network& network) {
    std::set<int> families;
    for (size_t f = 0; f < network.families(); ++f) families.insert(static_cast<int>(f));
    for (size_t k = 0; k < network.layers.size(); ++k) {
        for (const auto& share : network.filter_shares(k)) families.erase(share.family);
    }
    return families;
}

// The first parameter and axis that has a family.
struct Place {
    net::ValueId parameter = net::kNoValue;
    int64_t axis = 0;
    const net::AxisLabels* labels = nullptr;
};
Place place_of(const net::Graph& graph, const net::Coupling& coupling, int family) {
    for (size_t id = 0; id < graph.values.size(); ++id) {
        if (!graph.values[id].constant) continue;
        for (size_t axis = 0; axis < coupling.axes[id].size(); ++axis) {
            const Place place{
                static_cast<net::ValueId>(id), static_cast<int64_t>(axis),
                coupling.labels_of(static_cast<net::ValueId>(id), static_cast<int64_t>(axis))};
            if (!place.labels) continue;
            for (const auto& share : place.labels->shares) {
                if (share.family == family) return place;
            }
        }
    }
    ADIABAT_CHECK(false, "family {} has no parameter", family);
}

// Documents as they are read: members with the type they must have.
class Member {
  public:
    Member(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

    const Json& at(const char* name) const {
        if (!json_.is_object() || !json_.contains(name)) {
            throw InputError("{}: found no \"{}\", expected it there", where_, name);
        }
        return json_[name];
    }
    bool has(const char* name) const { return json_.is_object() && json_.contains(name); }
    std::string text(const char* name) const {
        const Json& value = at(name);
        if (!value.is_string()) fail(name, value, "text");
        return value.get<std::string>();
    }
    int64_t integer(const char* name) const {
        const Json& value = at(name);
        if (!value.is_number_integer()) fail(name, value, "a whole number");
        return value.get<int64_t>();
    }
    const Json& list(const char* name) const {
        const Json& value = at(name);
        if (!value.is_array()) fail(name, value, "a list");
        return value;
    }
    // Different numbers from 0 to count - 1.
    std::vector<size_t> indices(const char* name, size_t count) const {
        std::vector<size_t> result;
        std::vector<uint8_t> seen(count);
        for (const Json& value : list(name)) {
            const bool is_index = value.is_number_integer() && value.get<int64_t>() >= 0 &&
                                  value.get<uint64_t>() < count;
            if (!is_index) fail(name, value, fmt::format("numbers from 0 to {}", count - 1));
            const auto index = value.get<size_t>();
            if (seen[index]) fail(name, value, "each number once");
            seen[index] = 1;
            result.push_back(index);
        }
        return result;
    }
    [[noreturn]] void fail(const char* name, const Json& found, const std::string& expected) const {
        std::string text = found.dump(-1, ' ', false, Json::error_handler_t::replace);
        if (text.size() > 40) text = text.substr(0, 37) + "...";
        throw InputError("{}: \"{}\": found {}, expected {}", where_, name, text, expected);
    }
    const std::string& where() const { return where_; }

  private:
    const Json& json_;
    std::string where_;
};

// Reads the rows, then looks whether they agree.
class Reading {
  public:
    Reading(const net::Graph& graph, const plan::Network& network, std::string where)
        : graph_(graph),
          network_(network),
          where_(std::move(where)),
          plan_(plan::uniform_plan(network, plan::kMaxBits)),
          rows_(network.layers.size(), nullptr),
          listed_(network.layers.size()),
          named_(network.coupling.groups.size()) {
        for (const net::Layer& layer : network.layers) names_.push_back(as_written(layer.name));
    }

    plan::Plan read(const Json& document) {
        const Member all(document, where_);
        if (document.contains("dropped")) {
            for (const Json& name : all.list("dropped")) read_branch(all, name);
        }
        for (const Json& row : all.list("plan")) read_row(row);
        for (size_t k = 0; k < rows_.size(); ++k) {
            if (!rows_[k]) throw InputError("{}: layer {} is missing", where_, names_[k]);
        }
        if (document.contains("also_cut")) {
            for (const Json& entry : all.list("also_cut")) read_entry(entry);
        }
        for (size_t k = 0; k < rows_.size(); ++k) {
            check_together(network_.filter_groups(k), listed_[k], "layer " + names_[k]);
        }
        for (size_t g = 0; g < named_.size(); ++g) {
            const net::ChannelGroup& group = network_.coupling.groups[g];
            plan_.cut[static_cast<size_t>(group.family)][static_cast<size_t>(group.member)] =
                !named_[g].empty();
        }
        read_floats(all, document);
        check_branches();
        check_kept();
        check_states();
        return std::move(plan_);
    }

  private:
    // Layers of one name are taken in their order.
    size_t layer_of(const std::string& name) const {
        bool is_known = false;
        for (size_t k = 0; k < rows_.size(); ++k) {
            if (names_[k] != name) continue;
            is_known = true;
            if (!rows_[k]) return k;
        }
        if (is_known) throw InputError("{}: layer {} is there twice, expected once", where_, name);
        throw InputError("{}: the network has no layer {} (adiabat inspect lists them)", where_,
                         name);
    }

    // Branches of one name are taken in their order.
    void read_branch(const Member& all, const Json& name) {
        if (!name.is_string()) all.fail("dropped", name, "names of residual branches");
        const auto& branches = network_.branches;
        for (size_t b = 0; b < branches.size(); ++b) {
            if (as_written(branches[b].name) != name || plan::is_gone(network_, plan_.bits, b))
                continue;
            return plan::drop(network_, plan_, b);
        }
        throw InputError(
            "{}: \"dropped\": {} is no residual branch that may go, or is there twice (adiabat "
            "inspect lists them; --keep, --only, --keep-branches, --least-kept, --steps, "
            "--activations and "
            "l1 keep them)",
            where_, name.dump(-1, ' ', false, Json::error_handler_t::replace));
    }

    // Activations are coded unless they are named here.
    void read_floats(const Member& all, const Json& document) {
        std::set<std::string> floats;
        if (document.contains("float_activations")) {
            for (const Json& name : all.list("float_activations")) {
                if (!name.is_string()) all.fail("float_activations", name, "names of activations");
                floats.insert(name.get<std::string>());
            }
        }
        for (size_t k = network_.layers.size(); k < network_.tensors(); ++k) {
            const std::string name = as_written(network_.name(k));
            plan_.bits[k] = floats.erase(name) > 0 ? net::kFloatBits : net::kActivationBits;
            const auto& widths = network_.widths(k);
            if (std::find(widths.begin(), widths.end(), plan_.bits[k]) != widths.end()) continue;
            throw InputError(
                "{}: activation {} is coded in 8 bits, but all are to be float: expected "
                "--activations mixed",
                where_, name);
        }
        if (floats.empty()) return;
        if (network_.activations.empty()) {
            throw InputError(
                "{}: {} activations stay float, but all are to have 8 bits: expected --activations "
                "mixed",
                where_, floats.size());
        }
        throw InputError(
            "{}: \"float_activations\": {} is no activation that may be float (adiabat sense "
            "--activations mixed lists them)",
            where_, *floats.begin());
    }

    void read_row(const Json& json) {
        const size_t k = layer_of(Member(json, where_ + ": a row of \"plan\"").text("name"));
        const Member row(json, fmt::format("{}: layer {}", where_, names_[k]));
        static const std::set<std::string> known = {
            "name", "bits", "cut", "filters", "inputs", "filters_before", "inputs_before", "cost"};
        for (const auto& [name, value] : json.items()) {
            if (!known.contains(name)) {
                throw InputError("{}: found \"{}\", expected name, bits and cut", row.where(),
                                 name);
            }
        }
        rows_[k] = &json;
        const net::Layer& layer = network_.layers[k];
        check_number(row, "filters_before", layer.filters);
        check_number(row, "inputs_before", layer.inputs);
        const auto& widths = network_.widths(k);
        const int64_t bits = row.integer("bits");
        listed_[k] = row.indices("cut", static_cast<size_t>(layer.filters));
        name_groups(network_.filter_groups(k), listed_[k], "layer " + names_[k], "filter");
        if (plan_.bits[k] == plan::kGone) {
            if (bits != plan::kGone) row.fail("bits", bits, "0: its branch is dropped");
            return;
        }
        if (std::find(widths.begin(), widths.end(), bits) == widths.end()) {
            row.fail("bits", bits, "one of " + listed(widths));
        }
        plan_.bits[k] = static_cast<int>(bits);
    }

    void read_entry(const Json& json) {
        const std::string where = where_ + ": an entry of \"also_cut\"";
        const Member entry(json, where);
        const std::string name = entry.text("parameter");
        const int64_t axis = entry.integer("axis");
        for (size_t id = 0; id < graph_.values.size(); ++id) {
            if (!graph_.values[id].constant || as_written(graph_.values[id].name) != name) continue;
            const auto axes = std::ssize(network_.coupling.axes[id]);
            const auto* const labels =
                axis < 0 || axis >= axes
                    ? nullptr
                    : network_.coupling.labels_of(static_cast<net::ValueId>(id), axis);
            if (!labels) throw InputError("{}: nothing is cut on axis {} of {}", where, axis, name);
            const auto indices = entry.indices("indices", labels->groups.size());
            name_groups(labels->groups, indices, name, "index");
            return check_whole(labels->groups, indices, name);
        }
        throw InputError("{}: the network has no parameter {}", where, name);
    }

    // What indices of an axis say to go; `place` has the axis.
    void name_groups(const std::vector<net::GroupId>& groups, const std::vector<size_t>& indices,
                     const std::string& place, const char* what) {
        for (size_t i : indices) {
            const net::GroupId group = groups.empty() ? net::kStays : groups[i];
            if (group == net::kStays) {
                throw InputError("{}: {}: {} {} is to be cut, but stays (adiabat inspect says why)",
                                 where_, place, what, i);
            }
            std::string& named = named_[static_cast<size_t>(group)];
            if (named.empty()) named = fmt::format("{} {} of {}", what, i, place);
        }
    }

    // Whatever goes elsewhere must go from a layer's filters too.
    void check_together(const std::vector<net::GroupId>& groups, const std::vector<size_t>& indices,
                        const std::string& place) const {
        std::vector<uint8_t> here(groups.size());
        for (size_t i : indices) here[i] = 1;
        for (size_t i = 0; i < groups.size(); ++i) {
            if (here[i] || groups[i] == net::kStays) continue;
            const std::string& named = named_[static_cast<size_t>(groups[i])];
            if (named.empty()) continue;
            throw InputError(
                "{}: {}: filter {} goes together with {}, which is cut: expected both "
                "or none",
                where_, place, i, named);
        }
    }

    // Of an axis that an entry has, groups go whole.
    void check_whole(const std::vector<net::GroupId>& groups, const std::vector<size_t>& indices,
                     const std::string& place) const {
        std::set<net::GroupId> going;
        for (size_t i : indices) going.insert(groups[i]);
        for (size_t i = 0; i < groups.size(); ++i) {
            if (!going.contains(groups[i])) continue;
            if (std::find(indices.begin(), indices.end(), i) != indices.end()) continue;
            throw InputError(
                "{}: {}: index {} goes together with {}, which is cut: expected both "
                "or none",
                where_, place, i, named_[static_cast<size_t>(groups[i])]);
        }
    }

    // Nothing of a branch that goes is cut besides.
    void check_branches() const {
        for (size_t b = 0; b < network_.branches.size(); ++b) {
            if (!plan::is_gone(network_, plan_.bits, b)) continue;
            for (size_t f : network_.branches[b].families) {
                if (plan::cut_count(plan_, f) == 0) continue;
                throw InputError(
                    "{}: {} loses channels and goes with its branch: expected one of "
                    "both",
                    where_, maker_of(f));
            }
        }
    }

    void check_kept() const {
        for (size_t f = 0; f < network_.families(); ++f) {
            const int64_t all = network_.groups(f), kept = all - plan::cut_count(plan_, f);
            const int64_t allowed = plan::allowed_kept(network_, f, kept);
            if (kept == allowed) continue;
            throw InputError("{}: {} keeps {} of {} channel groups, expected {}", where_,
                             maker_of(f), kept, all,
                             kept < network_.least_kept(f)
                                 ? fmt::format("{} at least", allowed)
                                 : fmt::format("{} (--align {})", allowed, network_.align));
        }
    }

    std::string maker_of(size_t family) const {
        for (size_t k = 0; k < network_.layers.size(); ++k) {
            for (const auto& share : network_.filter_shares(k)) {
                if (share.family == static_cast<int>(family)) return "layer " + names_[k];
            }
        }
        return as_written(
            graph_.value(place_of(graph_, network_.coupling, static_cast<int>(family)).parameter)
                .name);
    }

    void check_states() const {
        const auto states = plan::states(network_, plan_);
        for (size_t k = 0; k < states.size(); ++k) {
            const Member row(*rows_[k], fmt::format("{}: layer {}", where_, names_[k]));
            check_number(row, "filters", states[k].filters);
            check_number(row, "inputs", states[k].inputs);
        }
        for (size_t k = 0; k < states.size(); ++k) {
            if (plan_.bits[k] == plan::kGone) continue;
            if (states[k].filters < 1 || states[k].inputs < 1) {
                throw InputError("{}: layer {} would lose all of its {}", where_, names_[k],
                                 states[k].filters < 1 ? "filters" : "inputs");
            }
        }
    }

    // What may be left out, and where it is there must be true.
    void check_number(const Member& row, const char* name, int64_t expected) const {
        if (row.has(name) && row.at(name) != expected) {
            row.fail(name, row.at(name), std::to_string(expected));
        }
    }

    const net::Graph& graph_;
    const plan::Network& network_;
    std::string where_;
    plan::Plan plan_;
    std::vector<std::string> names_;           // one a layer, as documents have them
    std::vector<const Json*> rows_;            // one a layer, null until it is found
    std::vector<std::vector<size_t>> listed_;  // filters that go, one list a layer
    std::vector<std::string> named_;           // one a group: where it is said to go, if it is
};

}  // namespace

void add_plan(Json& document, const net::Graph& graph, const plan::Network& network,
              const plan::Plan& plan) {
    document["plan"] = plan_to_json(network, plan);
    Json dropped = Json::array();
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (plan::is_gone(network, plan.bits, b)) dropped.push_back(network.branches[b].name);
    }
    if (!dropped.empty()) document["dropped"] = std::move(dropped);
    Json floats = Json::array();
    for (size_t k = network.layers.size(); k < network.tensors(); ++k) {
        if (plan.bits[k] == net::kFloatBits) floats.push_back(network.name(k));
    }
    if (!floats.empty()) document["float_activations"] = std::move(floats);
    Json more = Json::array();
    const auto flags = plan::cut_flags(network, plan);
    for (int family : unlisted_families(network)) {
        if (plan::cut_count(plan, static_cast<size_t>(family)) == 0) continue;
        const Place place = place_of(graph, network.coupling, family);
        Json indices = Json::array();
        for (size_t i = 0; i < place.labels->groups.size(); ++i) {
            const net::GroupId group = place.labels->groups[i];
            if (group == net::kStays || !flags[static_cast<size_t>(group)]) continue;
            if (network.coupling.groups[static_cast<size_t>(group)].family == family) {
                indices.push_back(i);
            }
        }
        more.push_back({{"parameter", graph.value(place.parameter).name},
                        {"axis", place.axis},
                        {"indices", std::move(indices)}});
    }
    if (!more.empty()) document["also_cut"] = std::move(more);
}

plan::Plan plan_from_json(const net::Graph& graph, const plan::Network& network,
                          const Json& document, const std::string& where) {
    return Reading(graph, network, where).read(document);
}

Json plan_document(const Subject& subject, const plan::Plan& plan) {
    Json document = {{"adiabat", version()}, {"kind", "plan"}, {"model", to_json(subject.model())}};
    add_plan(document, subject.graph(), subject.network(), plan);
    return document;
}

PlanFile read_plan(const Subject& subject, const std::filesystem::path& path,
                   ProgressSink& progress) {
    const std::string where = path.string();
    const auto bytes = read_file(path);
    const Json document = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object() || !document.contains("plan")) {
        throw InputError(
            "{}: expected a plan: a run.json of adiabat compress, or a file of "
            "adiabat qubo --read",
            where);
    }
    PlanFile file{plan_from_json(subject.graph(), subject.network(), document, where), {}};
    const Json model = document.value("model", Json());
    const Json digest = model.is_object() ? model.value("sha256", Json()) : Json();
    if (digest.is_string() && digest != subject.model().sha256) {
        progress.say(
            fmt::format("{} was made for another model than {}: layers and channels fit, "
                        "whether the plan is good here is not known",
                        where, subject.model().path));
    }
    file.document = {{"path", where},
                     {"kind", document.contains("verb") ? "run" : "plan"},
                     {"sha256", sha256(bytes)}};
    return file;
}

}  // namespace adiabat::pipeline
