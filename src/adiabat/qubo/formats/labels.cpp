// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/labels.h"

namespace adiabat::qubo::formats {

namespace {

using Kind = JsonValue::Kind;

// A list within a label, as JSON without spaces.
std::string text_of(const JsonValue& value) {
    if (value.is(Kind::kString)) return json_string(value.string());
    if (value.is(Kind::kNumber)) return std::string(value.raw());
    if (!value.is(Kind::kArray)) value.fail("a label: a string, a number or a list of these");
    std::string text;
    value.for_each(
        [&](const JsonValue& part) { text += (text.empty() ? "" : ",") + text_of(part); });
    return "[" + text + "]";
}

}  // namespace

std::vector<std::string> names_of_labels(const JsonValue& labels, int variables) {
    labels.expect_size(static_cast<size_t>(variables), "labels");
    std::vector<std::string> names;
    bool counted = true;
    labels.for_each([&](const JsonValue& label) {
        counted = counted && label.is(Kind::kNumber) && label.raw() == std::to_string(names.size());
        names.push_back(label.is(Kind::kString) ? label.string() : text_of(label));
    });
    if (counted) return {};
    check_names(labels.source(), names);
    return names;
}

std::string labels_of_names(const Problem& problem) {
    std::string text = "[";
    for (int i = 0; i < problem.variables(); ++i) {
        const std::string name = problem.name(i);
        const auto number = parse_integer(name);
        if (i > 0) text += ", ";
        text += number && std::to_string(*number) == name ? name : json_string(name, true);
    }
    return text + "]";
}

}  // namespace adiabat::qubo::formats
