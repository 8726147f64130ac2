// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/pareto.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/base/threads.h"
#include "adiabat/base/units.h"
#include "adiabat/pipeline/inspect.h"
#include "adiabat/pipeline/plan_file.h"
#include "adiabat/pipeline/ranking.h"
#include "adiabat/pipeline/record.h"
#include "adiabat/plan/measured.h"
#include "adiabat/report/curve.h"

namespace adiabat::pipeline {

namespace {

// The first quantity that every budget limits: the curve's x axis.
std::string axis_of(const Json& points) {
    for (const Json& budget : points.front()["budgets"]) {
        std::string name = budget["quantity"].get<std::string>();
        bool everywhere = true;
        for (const Json& point : points) {
            bool here = false;
            for (const Json& other : point["budgets"]) here = here || other["quantity"] == name;
            everywhere = everywhere && here;
        }
        if (everywhere) return name;
    }
    return "file";
}

double cost_at(const Json& point, const std::string& quantity) {
    const std::string member = quantity == "params"  ? "parameters"
                               : quantity == "float" ? "float_macs"
                                                     : quantity;
    return point["after"].at(member).get<double>();
}

double loss_at(const Json& point) {
    const Json& measured = point["measured"];
    return measured.contains("divergence") ? measured["divergence"].get<double>()
                                           : measured["relative_squared_error"].get<double>();
}

std::string to_csv(const Json& points) {
    std::string csv =
        "point,budget,file,bytes,parameters,macs,bops,float_macs,activations,energy,loss,agreement,"
        "top1,"
        "model\n";
    for (size_t k = 0; k < points.size(); ++k) {
        const Json &point = points[k], &after = point["after"], &measured = point["measured"];
        const auto number = [](const Json& from, const char* name) {
            return from.contains(name) ? fmt::format("{:.6g}", from[name].get<double>())
                                       : std::string();
        };
        csv += fmt::format("{},\"{}\",{},{},{},{},{},{},{},{:.8g},{:.8g},{},{},{}\n", k,
                           point["budget"].get<std::string>(), after["file"].get<int64_t>(),
                           after["bytes"].get<int64_t>(), after["parameters"].get<int64_t>(),
                           after["macs"].get<int64_t>(), after["bops"].get<int64_t>(),
                           after["float_macs"].get<int64_t>(), after["activations"].get<int64_t>(),
                           point["energy"].get<double>(), loss_at(point),
                           number(measured, "agreement"), number(measured, "top1_after"),
                           point["file"].get<std::string>());
    }
    return csv;
}

std::string name_of_point(size_t k) { return fmt::format("point-{:02}", k); }

class Sweep {
  public:
    Sweep(const ParetoOptions& options, StopToken stop, ProgressSink& progress)
        : options_(options),
          stop_(stop),
          progress_(progress),
          how_(options.of_deciding()),
          subject_(options.of_subject(), progress) {}

    Json run() {
        clock_.begin("data");
        // Budgets that cannot be kept are named before anything is done.
        for (const std::string& budget : options_.budgets) {
            asked_.push_back(ask_budgets(subject_, budget, progress_));
            require_priced(subject_.network(), asked_.back().budgets);
        }
        make_folder();
        images_ = read_calibration(subject_, options_.of_draw(), stop_, progress_);
        clock_.begin("sense");
        weighed_ = weigh(subject_, images_, how_, stop_, progress_);
        judge_.emplace(subject_, images_.judging, how_.sensing.temperature, stop_);
        clock_.begin("points");
        equalize();
        Json points = make_points();
        clock_.end();
        Json result = document(std::move(points));
        say_others();
        return result;
    }

  private:
    void equalize() {
        if (options_.equalize == Equalize::kOff) return;
        equalized_ = equalize_network(subject_, images_.sensing.pixels);
        if (equalized_.links > 0 && options_.equalize == Equalize::kOn) {
            subject_.carry_out_on(equalized_.graph);
        }
    }

    void make_folder() const {
        std::error_code error;
        std::filesystem::create_directories(options_.folder, error);
        if (error) {
            throw InputError("{}: cannot be made: {}: name a folder that can",
                             options_.folder.string(), error.message());
        }
        check_writable(options_.folder / "pareto.json");
    }

    // What a point depends on.
    std::string key_of(size_t k) const {
        Json options = to_json(static_cast<const RunOptions&>(options_));
        options.erase("threads");
        options.erase("cache");
        return sha256(to_text({{"adiabat", version()},
                               {"model", subject_.model().sha256},
                               {"data", images_.document},
                               {"options", options},
                               {"candidates", options_.candidates},
                               {"equalize", name_of(options_.equalize)},
                               {"budget", options_.budgets[k]}}));
    }

    std::optional<Json> finished(const std::filesystem::path& document, const std::string& key,
                                 const std::filesystem::path& network) const {
        std::error_code error;
        if (!std::filesystem::is_regular_file(document, error) ||
            !std::filesystem::is_regular_file(network, error)) {
            return {};
        }
        const auto bytes = read_file(document);
        const Json json = Json::parse(bytes.begin(), bytes.end(), nullptr, false);
        const auto says = [&](const char* member, const std::string& text) {
            const auto found = json.find(member);
            return found != json.end() && found->is_string() && *found == text;
        };
        if (!json.is_object() || !says("key", key) || !says("sha256", sha256_of_file(network))) {
            return {};
        }
        return json;
    }

    // The paths of a point's network and document.
    std::filesystem::path network_of(size_t k) const {
        return options_.folder / (name_of_point(k) + ".onnx");
    }
    std::filesystem::path document_of(size_t k) const {
        return options_.folder / (name_of_point(k) + ".json");
    }

    // Those that are not there yet are decided one after another and carried out together, as many
    // as there are threads: a sweep that is killed loses no more.
    Json make_points() {
        Json points = Json::array();
        std::vector<size_t> missing;
        for (size_t k = 0; k < options_.budgets.size(); ++k) {
            auto found = finished(document_of(k), key_of(k), network_of(k));
            if (!found) missing.push_back(k);
            points.push_back(found ? std::move(*found) : Json());
        }
        if (missing.size() < points.size()) {
            progress_.say(fmt::format("{} of {} points are there already",
                                      points.size() - missing.size(), points.size()));
        }
        const auto together = static_cast<size_t>(thread_count(options_.threads));
        for (size_t begin = 0; begin < missing.size(); begin += together) {
            if (stop_.requested()) throw Interrupted();
            make_some(std::span(missing).subspan(begin, std::min(together, missing.size() - begin)),
                      points);
        }
        return points;
    }

    RankingTask task_of(size_t k) const {
        return {subject_, images_, *judge_, asked_[k].budgets, how_};
    }

    void make_some(std::span<const size_t> numbers, Json& points) {
        std::vector<Choice> choices;
        std::vector<plan::Plan> plans;
        for (size_t k : numbers) {
            choices.push_back(
                choose(task_of(k), weighed_, options_.candidates, false, stop_, progress_));
            const auto& chosen = choices.back().plans;
            plans.insert(plans.end(), chosen.begin(), chosen.end());
        }
        std::vector<Written> written =
            carry_out(subject_, *judge_, plans, images_.sensing.pixels, stop_, progress_);
        auto from = std::make_move_iterator(written.begin());
        std::vector<Ranking> rankings;
        for (size_t c = 0; c < choices.size(); ++c) {
            const auto count = std::ssize(choices[c].plans);
            rankings.push_back(rank(task_of(numbers[c]), weighed_, std::move(choices[c]),
                                    {from, from + count}, progress_));
            from += count;
        }
        const std::vector<Json> equalized = try_equalized(rankings);
        for (size_t c = 0; c < rankings.size(); ++c) {
            points[numbers[c]] = store(numbers[c], rankings[c], equalized[c]);
        }
    }

    // The plans that are taken once more on the equalized network; the better file stays. For each
    // its point's "equalized".
    std::vector<Json> try_equalized(std::vector<Ranking>& rankings) {
        const Json same = options_.equalize == Equalize::kOff
                              ? Json(nullptr)
                              : Json({{"links", equalized_.links}, {"used", equalized_.links > 0}});
        std::vector<Json> documents(rankings.size(), same);
        if (options_.equalize != Equalize::kAuto || equalized_.links == 0) return documents;
        std::vector<plan::Plan> plans;
        for (const Ranking& ranking : rankings) plans.push_back(ranking.best.plan);
        std::vector<Written> once_more = carry_out_equalized(
            subject_, equalized_, *judge_, plans, images_.sensing.pixels, stop_, progress_);
        for (size_t c = 0; c < rankings.size(); ++c) {
            CarriedOut& best = rankings[c].best;
            const Judgement& found = once_more[c].judgement;
            const bool is_better = found.divergence < best.judgement.divergence;
            documents[c] = equalization_to_json(equalized_.links, best.judgement, found, is_better);
            if (!is_better) continue;
            best.file = std::move(once_more[c].file);
            best.judgement = found;
        }
        return documents;
    }

    Json store(size_t k, const Ranking& ranking, const Json& equalized) const {
        const CarriedOut& best = ranking.best;
        Json json = {{"key", key_of(k)},
                     {"budget", options_.budgets[k]},
                     {"budgets", asked_[k].document},
                     {"file", name_of_point(k) + ".onnx"},
                     {"sha256", sha256(best.file)},
                     {"energy", best.energy},
                     {"problem", to_json(weighed_, how_, ranking.decision)},
                     {"candidates", ranking.document},
                     {"equalized", equalized},
                     {"model", to_json(subject_.model())}};
        add_plan(json, subject_.graph(), subject_.network(), best.plan);
        json["after"] = to_json(plan::cost(subject_.network(), best.plan));
        json["after"]["file"] = best.file.size();
        json["measured"] = best.judgement.to_json(images_.judging.size(), best.file.size());
        // The network first: a point counts once its document is there.
        write_file_atomically(network_of(k), best.file);
        write_file_atomically(document_of(k), to_text(json) + "\n");
        return json;
    }

    // Points that are not in the table, of a sweep that had more: they stay, and that is said.
    void say_others() const {
        std::set<size_t> others;
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error)) {
            const std::string name = entry.path().stem().string();
            if (entry.path().extension() != ".json" || !name.starts_with("point-")) continue;
            size_t number = 0;
            std::from_chars(name.data() + 6, name.data() + name.size(), number);
            if (name != name_of_point(number) || number < options_.budgets.size()) continue;
            std::ifstream stream(entry.path());
            const Json json = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
            if (json.is_object() && json.contains("key")) others.insert(number);
        }
        if (others.empty()) return;
        const std::string first = name_of_point(*others.begin());
        const std::string last = name_of_point(*others.rbegin());
        progress_.say(fmt::format(
            "{}: {} of another sweep, not in the table: remove what is not needed, or name another "
            "folder",
            options_.folder.string(),
            others.size() == 1
                ? first + " is"
                : fmt::format("{} points, {} to {}, are", others.size(), first, last)));
    }

    Json document(Json points) {
        const std::string axis = axis_of(points);
        report::Curve curve{
            std::filesystem::path(subject_.model().path).filename().string(), axis, "", {}, {}};
        curve.y_title = points.front()["measured"].contains("divergence")
                            ? "KL divergence on judging images"
                            : "relative squared error on judging images";
        std::vector<plan::JudgedPlan> judged;
        for (Json& point : points) {
            curve.points.push_back(
                {cost_at(point, axis), loss_at(point), point["budget"].get<std::string>()});
            if (weighed_.effects.columns() == 0 || loss_at(point) <= 0) continue;
            const plan::Plan plan =
                plan_from_json(subject_.graph(), subject_.network(), point, "the sweep's point");
            judged.push_back({plan::energy_terms(subject_.network(), weighed_.effects, plan,
                                                 how_.interactions.shares),
                              loss_at(point)});
        }
        const plan::Fit fit = plan::calibrate(judged, how_.interactions);
        curve.marked = report::knee_of(curve.points);
        Json document;
        document["adiabat"] = version();
        document["verb"] = "pareto";
        document["command"] = options_.command;
        document["model"] = to_json(subject_.model());
        document["options"] = {{"candidates", options_.candidates},
                               {"equalize", name_of(options_.equalize)}};
        document["options"].update(to_json(static_cast<const RunOptions&>(options_)));
        document["data"] = images_.document;
        document["engine"] = subject_.engine().name();
        document["sensing"] = weighed_.sensing;
        document["axis"] = axis;
        document["before"] = subject_.before();
        const std::string csv = to_csv(points);
        document["points"] = std::move(points);
        document["knee"] = curve.marked ? Json(*curve.marked) : Json(nullptr);
        if (judged.size() >= plan::kFewestForALine) {
            document["fit"] = {{"scale", fit.scale},
                               {"exponent", fit.exponent},
                               {"correlation", fit.correlation},
                               {"error", fit.error}};
        }
        document["stages"] = clock_.to_json();
        document["seconds"] = std::round(clock_.total_seconds() * 1e3) / 1e3;
        document["peak_memory_bytes"] = peak_memory_bytes();
        write_file_atomically(options_.folder / "pareto.csv", csv);
        write_file_atomically(options_.folder / "pareto.svg", report::to_svg(curve));
        write_file_atomically(options_.folder / "pareto.json", to_text(document) + "\n");
        return document;
    }

    const ParetoOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    DecidingOptions how_;
    StageClock clock_;
    Subject subject_;
    std::vector<AskedBudgets> asked_;
    Calibration images_;
    Weighed weighed_;
    std::optional<Judge> judge_;
    EqualizedNetwork equalized_;
};

// "40%" as 40 and "%", "20M" as 20 and "M".
std::pair<double, std::string> number_and_unit(const std::string& text) {
    size_t used = 0;
    double number = 0;
    try {
        number = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || !(number > 0) || !std::isfinite(number)) {
        throw InputError("--from, --to: `{}` is no limit: expected 40%, 20M, 120KB ..", text);
    }
    return {number, text.substr(used)};
}

}  // namespace

std::vector<std::string> sweep_of(const std::string& quantity, const std::string& from,
                                  const std::string& to, int points) {
    plan::parse_quantity(quantity, "--quantity");
    const auto [first, unit] = number_and_unit(from);
    const auto [last, other] = number_and_unit(to);
    if (unit != other) {
        throw InputError("--from {} and --to {} have different units: expected one", from, to);
    }
    if (points < 1) throw InputError("--points: {}: expected 1 at least", points);
    std::vector<std::string> budgets;
    for (int k = 0; k < points; ++k) {
        const double at = points == 1 ? 0 : static_cast<double>(k) / (points - 1);
        budgets.push_back(fmt::format("{}={:.10g}{}", quantity, first + at * (last - first), unit));
    }
    return budgets;
}

Json pareto(const ParetoOptions& options, StopToken stop, ProgressSink& progress) {
    if (options.budgets.empty()) {
        throw InputError("no budgets: expected --budgets, or --quantity with --from and --to");
    }
    return Sweep(options, stop, progress).run();
}

}  // namespace adiabat::pipeline
