// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"
#include "adiabat/pipeline/explain.h"

namespace adiabat::cli {

namespace {

constexpr const char* kHelp = "Why a run decided as it did, and what else would cost";
constexpr const char* kFooter =
    "Energies are the Hamiltonian's (for measured effects about the divergence), as changes of the "
    "whole\n"
    "plan's; costs are exact. A + means more. RUN is the run.json of compress; what was sensed "
    "comes from\n"
    "the cache, or is sensed again.\n"
    "Example: adiabat explain run.json\n"
    "         adiabat explain run.json --layer '/layer1*' --filter /layer1/conv1/Conv:3";

std::string signed_count(int64_t value) {
    return (value < 0 ? "-" : "+") + format_count(std::abs(value));
}

std::string signed_energy(const Json& value) { return fmt::format("{:+.3g}", value.get<double>()); }

// "file +312, macs -40,960"; " (breaks a budget)" where it does.
std::string costs_text(const Json& effect) {
    std::string text;
    for (const auto& [name, change] : effect["costs"].items()) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                            signed_count(change.get<int64_t>()));
    }
    if (effect.contains("keeps") && !effect["keeps"].get<bool>()) text += " (over)";
    return text;
}

// "/conv1:3 + /conv2:3": where a group is.
std::string place_text(const Json& members) {
    std::string text;
    for (const Json& member : members) {
        text += (text.empty() ? "" : " + ") + member["layer"].get<std::string>() + ":";
        std::string filters;
        for (const Json& filter : member["filters"]) {
            filters += (filters.empty() ? "" : ",") + std::to_string(filter.get<int64_t>());
        }
        text += filters;
    }
    return text.empty() ? "channels of no layer" : text;
}

std::string width_text(const Json& width) {
    if (width.is_null()) return "-";
    return fmt::format("{} bits {}, {}", width["bits"].get<int>(), signed_energy(width["energy"]),
                       costs_text(width));
}

std::string extreme_text(const Json& extreme) {
    if (extreme.is_null()) return "-";
    return fmt::format("{}: {:.3g}", extreme["filters"][0].get<int64_t>(),
                       extreme["energy"].get<double>());
}

void print_layers(const Json& layers) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& layer : layers) {
        const int64_t kept = layer["filters"].get<int64_t>();
        const int64_t all = layer["filters_before"].get<int64_t>();
        const int bits = layer["bits"].get<int>();
        rows.push_back({layer["name"].get<std::string>(), bits == 0 ? "-" : std::to_string(bits),
                        width_text(layer["narrower"]), width_text(layer["wider"]),
                        kept == all ? std::to_string(all) : fmt::format("{} of {}", kept, all),
                        extreme_text(layer["cheapest_kept"]), extreme_text(layer["dearest_cut"])});
    }
    print_table({{"layer", false},
                 {"bits"},
                 {"the next width below", false},
                 {"the next width above", false},
                 {"filters"},
                 {"cheapest kept: energy"},
                 {"dearest cut: energy"}},
                rows);
}

void print_branches(const Json& branches) {
    if (branches.empty()) return;
    std::vector<std::vector<std::string>> rows;
    for (const Json& branch : branches) {
        const Json& change = branch["change"];
        rows.push_back({branch["name"].get<std::string>(),
                        branch["gone"].get<bool>() ? "gone: having it back" : "dropping it",
                        signed_energy(change["energy"]), costs_text(change)});
    }
    fmt::print("\n");
    print_table({{"residual branch", false}, {"", false}, {"energy"}, {"costs", false}}, rows);
}

// Of a layer also whether each is its input or its output.
void print_activations(const Json& activations, bool of_layer = false) {
    if (activations.empty()) return;
    std::vector<std::vector<std::string>> rows;
    for (const Json& activation : activations) {
        const Json& change = activation["change"];
        const std::string role = of_layer ? activation["role"].get<std::string>() + ": " : "";
        rows.push_back({role + activation["name"].get<std::string>(),
                        activation["float"].get<bool>() ? "float: coding it" : "leaving it float",
                        signed_energy(change["energy"]), costs_text(change)});
    }
    fmt::print("\n");
    print_table({{"activation", false}, {"", false}, {"energy"}, {"costs", false}}, rows);
}

void print_layer(const Json& layer) {
    const int bits = layer["bits"].get<int>();
    if (bits == 0) {
        fmt::print("\n{}: gone with its branch\n", layer["name"].get<std::string>());
        return;
    }
    fmt::print("\n{}: {} bits\n", layer["name"].get<std::string>(), bits);
    std::vector<std::vector<std::string>> rows;
    for (const Json& width : layer["widths"]) {
        const bool chosen = width["bits"] == layer["bits"];
        rows.push_back({std::to_string(width["bits"].get<int>()),
                        chosen ? "chosen" : signed_energy(width["energy"]),
                        chosen ? "" : costs_text(width)});
    }
    print_table({{"bits"}, {"energy"}, {"costs", false}}, rows);
    rows.clear();
    for (const Json& group : layer["groups"]) {
        rows.push_back(
            {place_text(group["members"]), group["cut"].get<bool>() ? "cut" : "kept",
             group["single"].is_null() ? "" : fmt::format("{:.3g}", group["single"].get<double>()),
             fmt::format("{:.3g}", group["marginal"].get<double>())});
    }
    if (!rows.empty()) {
        fmt::print("\n");
        print_table({{"channels", false}, {"", false}, {"alone"}, {"in this plan"}}, rows);
    }
    print_activations(layer["activations"], /*of_layer=*/true);
}

void print_partners(const Json& partners, const char* title) {
    if (partners.empty()) return;
    fmt::print("  {}:\n", title);
    for (const Json& partner : partners) {
        fmt::print("    {}  {}\n", signed_energy(partner["energy"]),
                   place_text(partner["members"]));
    }
}

void print_filter(const Json& filter) {
    const std::string name =
        fmt::format("{}:{}", filter["layer"].get<std::string>(), filter["filter"].get<int64_t>());
    if (filter["stays"].get<bool>()) {
        fmt::print("\n{} stays: its channel is never cut (adiabat inspect says why)\n", name);
        return;
    }
    if (filter.contains("gone_with")) {
        fmt::print("\n{} is gone with its branch, {}\n", name,
                   filter["gone_with"].get<std::string>());
        return;
    }
    const bool cut = filter["cut"].get<bool>();
    const std::string place = place_text(filter["members"]);
    fmt::print("\n{} is {}{}\n", name, cut ? "cut" : "kept",
               place == name ? "" : "; it goes together: " + place);
    if (filter["single"].is_null()) {
        fmt::print("  cutting it adds {:.4g}\n", filter["marginal"].get<double>());
    } else {
        fmt::print(
            "  cutting it adds {:.4g}: {:.4g} alone, {} with other cuts, {} with the widths\n",
            filter["marginal"].get<double>(), filter["single"].get<double>(),
            signed_energy(filter["with_cuts"]), signed_energy(filter["with_widths"]));
    }
    print_partners(filter["joint"], "with other cut channels");
    print_partners(filter["partners"], "kept channels that stand in for it");
    const char* const change = cut ? "reviving it" : "cutting it";
    if (filter["undo"].is_null()) {
        fmt::print("  {} alone is not allowed (alignment, or what must stay)\n", change);
    } else {
        fmt::print("  {}: energy {}, {}\n", change, signed_energy(filter["undo"]["energy"]),
                   costs_text(filter["undo"]));
    }
    if (!filter["best_swap"].is_null()) {
        fmt::print("  best swap at the same cost: with {}, energy {}\n",
                   place_text(filter["best_swap"]["members"]),
                   signed_energy(filter["best_swap"]["energy"]));
    }
}

std::string alternative_text(const Json& alternative) {
    std::vector<std::string> parts;
    for (const Json& change : alternative["bits"]) {
        const int from = change["from"].get<int>(), to = change["to"].get<int>();
        const auto name = change["layer"].get<std::string>();
        parts.push_back(std::max(from, to) < 32
                            ? fmt::format("{} {} to {} bits", name, from, to)
                            : fmt::format("{} {}", to < 32 ? "code" : "leave float", name));
    }
    for (const auto& [name, verb] : {std::pair{"drop", "drop"}, {"restore", "restore"}}) {
        for (const Json& branch : alternative[name]) {
            parts.push_back(fmt::format("{} {}", verb, branch.get<std::string>()));
        }
    }
    for (const auto& [name, verb] : {std::pair{"cut", "cut"}, {"revive", "revive"}}) {
        for (const Json& members : alternative[name]) {
            parts.push_back(fmt::format("{} {}", verb, place_text(members)));
        }
    }
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
    return text;
}

void print(const Json& d) {
    const double energy = d["energy"].get<double>();
    fmt::print("energy {:.6g} ({})\n", energy, d["hamiltonian"].get<std::string>());
    if (const Json& predicted = d["predicted_divergence"]; predicted.is_number()) {
        fmt::print("predicted divergence {:.3g}\n", predicted.get<double>());
    }
    const Json& lowest = d["lowest_energy"];
    if (lowest.is_number() && lowest.get<double>() < energy - 1e-6 * std::abs(energy)) {
        fmt::print(
            "the lowest that the run found was {:.6g}: of the plans carried out this one was "
            "the best\n",
            lowest.get<double>());
    }
    const bool has_budgets = std::ranges::any_of(
        d["budgets"], [](const Json& budget) { return !budget["limit"].is_null(); });
    if (!has_budgets) fmt::print("no budgets: compared at what the plan itself costs\n");
    for (const Json& budget : d["budgets"]) {
        const int64_t cost = budget["cost"].get<int64_t>();
        const std::string limit =
            budget["limit"].is_null()
                ? std::string()
                : fmt::format(" of {}", format_count(budget["limit"].get<int64_t>()));
        fmt::print("{} {}{}\n", budget["quantity"].get<std::string>(), format_count(cost), limit);
    }
    fmt::print("\n");
    print_layers(d["layers"]);
    print_branches(d["branches"]);
    print_activations(d["activations"]);
    for (const Json& layer : d["details"]) print_layer(layer);
    if (!d["filter"].is_null()) print_filter(d["filter"]);
    std::vector<std::vector<std::string>> rows;
    for (const Json& alternative : d["alternatives"]) {
        rows.push_back({alternative["kind"].get<std::string>(),
                        signed_energy(alternative["energy"]), costs_text(alternative),
                        alternative_text(alternative)});
    }
    if (rows.empty()) return;
    fmt::print("\nnearest alternatives {}\n",
               has_budgets ? "within the budgets" : "that cost no more");
    print_table({{"", false}, {"energy"}, {"costs", false}, {"change", false}}, rows);
}

}  // namespace

void add_explain(CLI::App& tool, Frame& frame) {
    auto* verb = tool.add_subcommand("explain", kHelp);
    verb->footer(kFooter);
    auto options = std::make_shared<pipeline::ExplainOptions>();
    verb->add_option("RUN", options->run, "The run.json of adiabat compress")->required();
    verb->add_option("--layer", options->layers,
                     "Layers in detail: names, * and ? for any, or re:REGEX")
        ->type_name("NAME ..");
    verb->add_option("--filter", options->filter, "One filter in detail: LAYER:INDEX");
    verb->add_option("--alternatives", options->alternatives,
                     "Other plans to list, of each kind at most")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    verb->add_option("--model", options->model, "The network, if it lies elsewhere now");
    verb->add_option("--data", options->data, "The images, if they lie elsewhere now");
    verb->add_option("--cache", options->cache, "Folder that keeps what was sensed, if another");
    add_output_options(*verb, frame);
    add_threads_option(*verb, options->threads);
    verb->callback([=, &frame] {
        frame.work = [=, &frame] {
            options->command = frame.command;
            show(frame, pipeline::explain(*options, frame.stop, *frame.progress), print);
        };
    });
}

}  // namespace adiabat::cli
