// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON that knows in which line a value stands, for files of many numbers: 16 bytes a value,
// numbers read when they are asked for.
//
// A text becomes a tape of nodes in the order of the text; a node knows where its value stands and
// which node follows its whole subtree. Strict (RFC 8259): UTF-8, no comments, no NaN, no trailing
// commas, nothing behind the value; numbers must be ones that parse_number() takes. O(bytes).
//
// Source: the tape is that of G. Langdale and D. Lemire, "Parsing gigabytes of JSON per second"
// (VLDB Journal 2019), without its vector instructions.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/qubo/formats/scan.h"

namespace adiabat::qubo::formats {

// Arrays and objects within each other.
inline constexpr int kMostNesting = 32;

class JsonValue;

class JsonText {
  public:
    // Throws InputError with the line. `first_line` is that of the first byte.
    explicit JsonText(const Source& source, int64_t first_line = 1);

    JsonValue root() const;

  private:
    friend class JsonValue;
    friend class JsonParser;
    struct Node {
        uint64_t at : 56, kind : 8;
        uint64_t after;
    };

    Source source_;
    int64_t first_line_;
    std::vector<Node> nodes_;
};

// A place in a JsonText, which must outlive it.
class JsonValue {
  public:
    enum class Kind : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };

    JsonValue(const JsonText& text, size_t node) : text_(&text), node_(node) {}

    Kind kind() const { return static_cast<Kind>(at().kind); }
    bool is(Kind kind) const { return this->kind() == kind; }
    // Each throws InputError where the value is another one.
    double number() const;
    int64_t integer(int64_t low, int64_t high, const char* what) const;
    bool boolean() const;
    std::string string() const;

    // Calls visit(JsonValue) for each element of an array.
    template <typename Visit>
    void for_each(Visit&& visit) const {
        if (!is(Kind::kArray)) fail("an array");
        for (size_t node = node_ + 1; node < at().after; node = text_->nodes_[node].after)
            visit(JsonValue(*text_, node));
    }
    // Calls visit(key, JsonValue) for each member of an object.
    template <typename Visit>
    void for_each_member(Visit&& visit) const {
        if (!is(Kind::kObject)) fail("an object");
        for (size_t node = node_ + 1; node < at().after; node = text_->nodes_[node + 1].after)
            visit(JsonValue(*text_, node), JsonValue(*text_, node + 1));
    }
    // Elements of an array. O(elements).
    size_t size() const;
    // All numbers of an array.
    std::vector<double> numbers() const;
    // An array of so many elements, an error otherwise; `what` says what it holds.
    void expect_size(size_t count, const char* what) const;

    // What stands there, for messages, and as it stands in the text.
    std::string found() const;
    std::string_view raw() const;
    int64_t line() const;
    const Source& source() const { return text_->source_; }
    [[noreturn]] void fail(std::string_view expected) const { fail(found(), expected); }
    [[noreturn]] void fail(std::string_view found, std::string_view expected) const {
        fail_at(text_->source_, line(), found, expected);
    }

  private:
    const JsonText::Node& at() const { return text_->nodes_[node_]; }

    const JsonText* text_;
    size_t node_;
};

// The members of an object, of which only the known ones may be there, each once.
class JsonMembers {
  public:
    JsonMembers(const JsonValue& object, std::initializer_list<std::string_view> known);

    std::optional<JsonValue> find(std::string_view name) const;
    JsonValue need(std::string_view name) const;

  private:
    JsonValue object_;
    std::vector<std::pair<std::string_view, std::optional<JsonValue>>> members_;
};

// Whether a text is UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);
// With quotes, and escapes where JSON needs them, or, where `ascii`, for all that is not ASCII.
// Throws InputError for what is not UTF-8.
std::string json_string(std::string_view text, bool ascii = false);

}  // namespace adiabat::qubo::formats
