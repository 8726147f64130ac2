// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/json_text.h"

#include <algorithm>
#include <charconv>

#include "adiabat/base/json.h"

namespace adiabat::qubo::formats {

namespace {

constexpr size_t kBytesBetweenLooks = size_t{1} << 18;
// A kind of the tape alone: an array of one number or more, and of nothing else.
constexpr uint8_t kNumbers = 6;
// So many characters without an exponent are a number below kLargestCoefficient, and no smaller one
// than a double holds: which they are is seen when they are read.
constexpr size_t kSurelyANumber = 50;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A number whose grammar has been checked; where it ends. Short whole numbers are the most frequent
// ones, and exact in double.
const char* read_number(const char* at, const char* end, double& value) {
    constexpr int kExact = 15;
    const bool negative = *at == '-';
    const char* const digits = at + (negative ? 1 : 0);
    const char* past = digits;
    int64_t whole = 0;
    for (; past < end && is_digit(*past) && past - digits < kExact; ++past)
        whole = whole * 10 + (*past - '0');
    if (past == end || (!is_digit(*past) && *past != '.' && *past != 'e' && *past != 'E')) {
        const auto size = static_cast<double>(whole);
        value = negative ? -size : size;  // of zero as well
        return past;
    }
    return std::from_chars(at, end, value).ptr;
}

// Bytes of the UTF-8 character at the beginning, 0 where there is none.
size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t k) {
        return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
    };
    const auto follows = [&](size_t k) { return (byte(k) & 0xC0) == 0x80; };
    const unsigned first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && second < 0xA0;
        const bool surrogate = first == 0xED && second > 0x9F;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool outside = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
        return follows(1) && follows(2) && follows(3) && !outside ? 4 : 0;
    }
    return 0;
}

// The four hexadecimal digits behind \u.
std::optional<unsigned> hexadecimal(std::string_view digits) {
    if (digits.size() < 4) return {};
    unsigned value = 0;
    for (const char c : digits.substr(0, 4)) {
        const auto lower = static_cast<char>(c | 0x20);
        if (!is_digit(c) && (lower < 'a' || lower > 'f')) return {};
        value = value * 16 + static_cast<unsigned>(is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    return value;
}

void append_utf8(std::string& text, unsigned code) {
    const auto put = [&](unsigned byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// Reads an escape that begins behind the backslash at text[0]; its bytes, 0 where it is none.
size_t read_escape(std::string_view text, std::string& into) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (text.empty()) return 0;
    if (const size_t k = kLetters.find(text[0]); k != std::string_view::npos) {
        into += kMeanings[k];
        return 1;
    }
    if (text[0] != 'u') return 0;
    const auto first = hexadecimal(text.substr(1));
    if (!first || (*first >= 0xDC00 && *first <= 0xDFFF)) return 0;
    if (*first < 0xD800 || *first > 0xDBFF) {
        append_utf8(into, *first);
        return 5;
    }
    if (text.size() < 11 || text[5] != '\\' || text[6] != 'u') return 0;
    const auto second = hexadecimal(text.substr(7));
    if (!second || *second < 0xDC00 || *second > 0xDFFF) return 0;
    append_utf8(into, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
    return 11;
}

}  // namespace

// Recursive descent, no deeper than kMostNesting.
class JsonParser {
  public:
    explicit JsonParser(JsonText& text) : text_(text), bytes_(text.source_.bytes) {}

    void parse() {
        value(0);
        skip_space();
        if (at_ < bytes_.size()) fail(shown(), "the end of the file");
    }

  private:
    using Kind = JsonValue::Kind;

    [[noreturn]] void fail(const std::string& found, std::string_view expected) const {
        const auto before = bytes_.substr(0, std::min(at_, bytes_.size()));
        fail_at(text_.source_, text_.first_line_ + std::ranges::count(before, '\n'), found,
                expected);
    }
    std::string shown() const {
        if (at_ >= bytes_.size()) return "the end of the file";
        const auto rest = bytes_.substr(at_);
        return in_quotes(rest.substr(
            0, std::max<size_t>(1, std::min(rest.find_first_of(" \t\r\n,]}:"), rest.size()))));
    }
    void skip_space() {
        while (at_ < bytes_.size() && is_space(bytes_[at_])) ++at_;
    }
    bool take(char c) {
        skip_space();
        if (at_ >= bytes_.size() || bytes_[at_] != c) return false;
        ++at_;
        return true;
    }
    size_t begin(Kind kind) {
        text_.nodes_.push_back({at_, static_cast<uint8_t>(kind), 0});
        return text_.nodes_.size() - 1;
    }
    void end(size_t node) { text_.nodes_[node].after = text_.nodes_.size(); }

    void look() {
        if (at_ < next_look_) return;
        next_look_ = at_ + kBytesBetweenLooks;
        text_.source_.refuse_to_go_on();
    }

    void value(int depth) {
        look();
        skip_space();
        const char c = at_ < bytes_.size() ? bytes_[at_] : '\0';
        if (c == '{' || c == '[') {
            if (depth == kMostNesting)
                fail(shown(), fmt::format("arrays in at most {} levels", kMostNesting));
            c == '{' ? object(depth) : array(depth);
        } else if (c == '"') {
            string();
        } else if (c == '-' || is_digit(c)) {
            const size_t node = begin(Kind::kNumber);
            number();
            end(node);
        } else {
            word();
        }
    }
    void object(int depth) {
        const size_t node = begin(Kind::kObject);
        ++at_;
        if (!take('}')) {
            do {
                skip_space();
                if (at_ >= bytes_.size() || bytes_[at_] != '"') fail(shown(), "a name in quotes");
                string();
                if (!take(':')) fail(shown(), "':'");
                value(depth + 1);
            } while (take(','));
            if (!take('}')) fail(shown(), "',' or '}'");
        }
        end(node);
    }
    void array(int depth) {
        const size_t node = begin(Kind::kArray);
        const size_t first = ++at_;
        if (numbers_alone(node)) return;
        at_ = first;
        if (!take(']')) {
            do {
                value(depth + 1);
            } while (take(','));
            if (!take(']')) fail(shown(), "',' or ']'");
        }
        end(node);
    }
    // An array whose elements are all numbers, of which there are some; else what was read is read
    // again, as values of any kind.
    bool numbers_alone(size_t node) {
        uint64_t count = 0;
        do {
            look();
            skip_space();
            if (at_ >= bytes_.size() || (bytes_[at_] != '-' && !is_digit(bytes_[at_])))
                return false;
            number();
            ++count;
        } while (take(','));
        if (!take(']')) fail(shown(), "',' or ']'");
        text_.nodes_[node].kind = kNumbers;
        text_.nodes_[node].after = count;
        return true;
    }
    void string() {
        const size_t node = begin(Kind::kString);
        ++at_;
        std::string unused;
        for (;;) {
            if (at_ >= bytes_.size()) fail("the end of the file", "the end of a string");
            const auto c = static_cast<unsigned char>(bytes_[at_]);
            if (c == '"') break;
            if (c < 0x20) fail(fmt::format("byte {:#04x} in a string", c), "its escape");
            size_t length = 0;
            if (c == '\\') {
                unused.clear();
                length = read_escape(bytes_.substr(at_ + 1), unused);
                if (length == 0) fail(in_quotes(bytes_.substr(at_, 6)), "an escape of JSON");
                ++length;
            } else {
                length = utf8_length(bytes_.substr(at_));
                if (length == 0) fail(fmt::format("byte {:#04x} in a string", c), "UTF-8");
            }
            at_ += length;
            look();
        }
        ++at_;
        end(node);
    }
    void digits() {
        if (at_ >= bytes_.size() || !is_digit(bytes_[at_])) fail(shown(), "a digit");
        while (at_ < bytes_.size() && is_digit(bytes_[at_])) ++at_;
    }
    void number() {
        const size_t first = at_;
        if (bytes_[at_] == '-') ++at_;
        const bool zero = at_ < bytes_.size() && bytes_[at_] == '0';
        const size_t whole = at_;
        digits();
        if (zero && at_ > whole + 1) {
            at_ = first;
            fail(shown(), "a number without zeros in front");
        }
        if (at_ < bytes_.size() && bytes_[at_] == '.') {
            ++at_;
            digits();
        }
        const bool exponent = at_ < bytes_.size() && (bytes_[at_] == 'e' || bytes_[at_] == 'E');
        if (exponent) {
            ++at_;
            if (at_ < bytes_.size() && (bytes_[at_] == '+' || bytes_[at_] == '-')) ++at_;
            digits();
        }
        const bool sure = !exponent && at_ - first <= kSurelyANumber;
        if (!sure && !parse_number(bytes_.substr(first, at_ - first))) {
            at_ = first;
            fail(shown(), "a number of at most 1e60 in size");
        }
    }
    void word() {
        for (const std::string_view known : {"true", "false", "null"}) {
            if (!bytes_.substr(std::min(at_, bytes_.size())).starts_with(known)) continue;
            const size_t node = begin(known == "null" ? Kind::kNull : Kind::kBoolean);
            at_ += known.size();
            end(node);
            return;
        }
        fail(shown(), "a value");
    }

    JsonText& text_;
    std::string_view bytes_;
    size_t at_ = 0, next_look_ = 0;
};

void JsonText::Tape::push_back(const Node& node) {
    if (size_ % kPiece == 0) {
        pieces_.emplace_back();
        // The first one may stay small.
        if (size_ > 0) pieces_.back().reserve(kPiece);
    }
    pieces_.back().push_back(node);
    ++size_;
}

JsonText::JsonText(const Source& source, int64_t first_line)
    : source_(source), first_line_(first_line), looks_(source) {
    JsonParser(*this).parse();
}

JsonValue JsonText::root() const { return {*this, 0}; }

size_t JsonText::behind(size_t node) const {
    return nodes_[node].kind == kNumbers ? node + 1 : nodes_[node].after;
}

size_t JsonText::first_number(size_t array) const {
    size_t at = nodes_[array].at + 1;
    while (is_space(source_.bytes[at])) ++at;
    return at;
}

size_t JsonText::next_number(size_t at) const {
    const char* const bytes = source_.bytes.data();
    while (bytes[at] != ',') ++at;
    ++at;
    while (is_space(bytes[at])) ++at;
    return at;
}

JsonValue::Kind JsonValue::kind() const {
    if (number_ != kWhole) return Kind::kNumber;
    return at().kind == kNumbers ? Kind::kArray : static_cast<Kind>(at().kind);
}

bool JsonValue::of_numbers() const { return number_ == kWhole && at().kind == kNumbers; }

std::string_view JsonValue::raw() const {
    const std::string_view rest = text_->source_.bytes.substr(position());
    if (is(Kind::kString)) {
        size_t k = 1;
        while (rest[k] != '"') k += rest[k] == '\\' ? 2 : 1;
        return rest.substr(0, k + 1);
    }
    size_t end = 0;
    while (end < rest.size() && !is_space(rest[end]) && rest[end] != ',' && rest[end] != ']' &&
           rest[end] != '}')
        ++end;
    return rest.substr(0, end);
}

std::string JsonValue::found() const {
    if (is(Kind::kArray)) return "an array";
    if (is(Kind::kObject)) return "an object";
    return in_quotes(raw());
}

int64_t JsonValue::line() const {
    return text_->first_line_ +
           std::ranges::count(text_->source_.bytes.substr(0, position()), '\n');
}

double JsonValue::number() const {
    if (!is(Kind::kNumber)) fail("a number");
    return parse_number(raw()).value();
}

int64_t JsonValue::integer(int64_t low, int64_t high, const char* what) const {
    const auto value = is(Kind::kNumber) ? parse_integer(raw()) : std::nullopt;
    if (!value || *value < low || *value > high) {
        if (high < low) fail("nothing: there are no variables");
        fail(fmt::format("{}, {} to {}", what, low, high));
    }
    return *value;
}

bool JsonValue::boolean() const {
    if (!is(Kind::kBoolean)) fail("true or false");
    return raw() == "true";
}

std::string JsonValue::string() const {
    if (!is(Kind::kString)) fail("a string");
    std::string_view rest = raw();
    rest = rest.substr(1, rest.size() - 2);
    std::string text;
    while (!rest.empty()) {
        size_t length = std::min(rest.find('\\'), rest.size());
        text += rest.substr(0, length);
        if (length < rest.size()) length += 1 + read_escape(rest.substr(length + 1), text);
        rest.remove_prefix(length);
    }
    return text;
}

size_t JsonValue::size() const {
    if (of_numbers()) return at().after;
    size_t count = 0;
    for_each([&](const JsonValue&) { ++count; });
    return count;
}

std::vector<double> JsonValue::numbers() const {
    std::vector<double> values;
    numbers(values);
    return values;
}

void JsonValue::numbers(std::vector<double>& values) const {
    values.clear();
    if (!of_numbers())
        return for_each([&](const JsonValue& value) { values.push_back(value.number()); });
    values.resize(size());
    const std::string_view bytes = text_->source_.bytes;
    const char* const end = bytes.data() + bytes.size();
    const char* at = bytes.data() + text_->first_number(node_);
    for (double& value : values) {
        text_->looks_.look();
        at = read_number(at, end, value);
        while (*at != ',' && *at != ']') ++at;
        ++at;
        while (at < end && is_space(*at)) ++at;
    }
}

void JsonValue::expect_size(size_t count, const char* what) const {
    const size_t there = size();
    if (there != count) fail(fmt::format("{} {}", there, what), fmt::format("{}", count));
}

JsonMembers::JsonMembers(const JsonValue& object, std::initializer_list<std::string_view> known)
    : object_(object) {
    for (const std::string_view name : known) members_.emplace_back(name, std::nullopt);
    object.for_each_member([&](const JsonValue& key, const JsonValue& value) {
        const std::string name = key.string();
        const auto member = std::ranges::find(members_, std::string_view(name),
                                              [](const auto& m) { return m.first; });
        if (member == members_.end()) {
            std::string names;
            for (const std::string_view each : known)
                names += (names.empty() ? "" : ", ") + std::string(each);
            key.fail(fmt::format("member {}", key.found()), "one of " + names);
        }
        if (member->second) key.fail(fmt::format("member {} again", key.found()), "it once");
        member->second = value;
    });
}

std::optional<JsonValue> JsonMembers::find(std::string_view name) const {
    const auto member =
        std::ranges::find(members_, name, [](const auto& each) { return each.first; });
    ADIABAT_CHECK(member != members_.end(), "member {} is not among the known ones", name);
    return member->second;
}

JsonValue JsonMembers::need(std::string_view name) const {
    const auto member = find(name);
    if (!member) object_.fail(fmt::format("an object without \"{}\"", name), "that member");
    return *member;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string json_string(std::string_view text, bool ascii) {
    if (!is_utf8(text))
        throw InputError("the name {} is not UTF-8: JSON cannot hold it", in_quotes(text));
    return Json(text).dump(-1, ' ', ascii);
}

}  // namespace adiabat::qubo::formats
