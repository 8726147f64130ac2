// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON that knows in which line a value stands, for files of many numbers: 16 bytes a value, but
// none for the elements of an array of numbers alone; numbers are read when they are asked for.
//
// A text becomes a tape of nodes in the order of the text; a node knows where its value stands and
// which node follows its whole subtree. An array of numbers is one node, which knows how many there
// are: who goes through it reads the text, whose grammar has been checked. Strict (RFC 8259):
// UTF-8, no comments, no NaN, no trailing commas, nothing behind the value; numbers must be ones
// that parse_number() takes. O(bytes).
//
// Source: the tape is that of G. Langdale and D. Lemire, "Parsing gigabytes of JSON per second"
// (VLDB Journal 2019), without its vector instructions.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/huge_pages.h"
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
        uint64_t after;  // of an array of numbers alone: how many there are
    };
    // In pieces, so that it grows without being copied.
    class Tape {
      public:
        size_t size() const { return size_; }
        Node& operator[](size_t k) { return pieces_[k / kPiece][k % kPiece]; }
        const Node& operator[](size_t k) const { return pieces_[k / kPiece][k % kPiece]; }
        void push_back(const Node& node);

      private:
        static constexpr size_t kPiece = size_t{1} << 18;
        std::vector<HugeVector<Node>> pieces_;
        size_t size_ = 0;
    };

    // The node behind a node and all that is in it.
    size_t behind(size_t node) const;
    // The first byte of the number behind the one that begins at `at`, in an array of numbers.
    size_t next_number(size_t at) const;
    size_t first_number(size_t array) const;

    Source source_;
    int64_t first_line_;
    Tape nodes_;
    mutable StopLooks looks_;
};

// A place in a JsonText, which must outlive it.
class JsonValue {
  public:
    enum class Kind : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };

    JsonValue(const JsonText& text, size_t node) : text_(&text), node_(node) {}

    Kind kind() const;
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
        if (of_numbers()) {
            size_t at = text_->first_number(node_);
            for (uint64_t k = this->at().after; k > 0; --k) {
                text_->looks_.look();
                visit(JsonValue(*text_, node_, at));
                if (k > 1) at = text_->next_number(at);
            }
            return;
        }
        for (size_t node = node_ + 1; node < at().after; node = text_->behind(node)) {
            text_->looks_.look();
            visit(JsonValue(*text_, node));
        }
    }
    // Calls visit(key, JsonValue) for each member of an object.
    template <typename Visit>
    void for_each_member(Visit&& visit) const {
        if (!is(Kind::kObject)) fail("an object");
        for (size_t node = node_ + 1; node < at().after; node = text_->behind(node + 1))
            visit(JsonValue(*text_, node), JsonValue(*text_, node + 1));
    }
    // Elements of an array. O(1) for numbers alone, O(elements) otherwise.
    size_t size() const;
    // All numbers of an array; into a vector that is used again, where there are many arrays.
    std::vector<double> numbers() const;
    void numbers(std::vector<double>& values) const;
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
    static constexpr size_t kWhole = static_cast<size_t>(-1);

    // A number of the array `node`, of numbers alone, that begins at `number`.
    JsonValue(const JsonText& text, size_t node, size_t number)
        : text_(&text), node_(node), number_(number) {}

    const JsonText::Node& at() const { return text_->nodes_[node_]; }
    size_t position() const { return number_ == kWhole ? at().at : number_; }
    bool of_numbers() const;

    const JsonText* text_;
    size_t node_;
    size_t number_ = kWhole;
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
