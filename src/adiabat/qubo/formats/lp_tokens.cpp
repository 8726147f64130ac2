// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/lp_tokens.h"

#include <algorithm>
#include <optional>

namespace adiabat::qubo::formats {

namespace {

constexpr size_t kLongestName = 255;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name_part(char c) {
    constexpr std::string_view kMarks = "!\"#$%&(),.;?@_'`{}~";
    return is_digit(c) || is_letter(c) || kMarks.find(c) != std::string_view::npos;
}

std::string lower_case(std::string_view word) {
    std::string lower(word);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return lower;
}

std::optional<LpSection> section_of(std::string_view word) {
    constexpr std::pair<std::string_view, LpSection> kWords[] = {
        {"minimize", LpSection::kMinimize},   {"minimum", LpSection::kMinimize},
        {"min", LpSection::kMinimize},        {"maximize", LpSection::kMaximize},
        {"maximum", LpSection::kMaximize},    {"max", LpSection::kMaximize},
        {"subject", LpSection::kConstraints}, {"such", LpSection::kConstraints},
        {"st", LpSection::kConstraints},      {"s.t.", LpSection::kConstraints},
        {"st.", LpSection::kConstraints},     {"bounds", LpSection::kBounds},
        {"bound", LpSection::kBounds},        {"binary", LpSection::kBinary},
        {"binaries", LpSection::kBinary},     {"bin", LpSection::kBinary},
        {"general", LpSection::kInteger},     {"generals", LpSection::kInteger},
        {"gen", LpSection::kInteger},         {"integer", LpSection::kInteger},
        {"integers", LpSection::kInteger},    {"int", LpSection::kInteger},
        {"semi", LpSection::kOther},          {"semis", LpSection::kOther},
        {"sos", LpSection::kOther},           {"sos1", LpSection::kOther},
        {"sos2", LpSection::kOther},          {"end", LpSection::kEnd}};
    const std::string lower = lower_case(word);
    const auto* const found = std::ranges::find(kWords, std::string_view(lower),
                                                [](const auto& each) { return each.first; });
    if (found == std::end(kWords)) return {};
    return found->second;
}

class Words {
  public:
    explicit Words(const Source& source) : source_(source), bytes_(source.bytes) {}

    std::vector<LpWord> all() {
        for (skip(); at_ < bytes_.size(); skip()) next();
        words_.push_back({LpToken::kEnd, {}, line_});
        return std::move(words_);
    }

  private:
    void skip() {
        for (; at_ < bytes_.size(); ++at_) {
            const char c = bytes_[at_];
            if (c == '\\') at_ = std::min(bytes_.find('\n', at_), bytes_.size());
            if (at_ == bytes_.size()) return;
            if (bytes_[at_] == '\n') {
                ++line_;
                first_ = true;
            } else if (c != ' ' && c != '\t' && c != '\r') {
                return;
            }
        }
    }
    void add(LpToken kind, size_t length, std::string_view text) {
        words_.push_back({kind, text, line_});
        at_ += length;
        first_ = false;
    }
    void next() {
        const char c = bytes_[at_];
        looks_.look();
        if (is_digit(c) || c == '.') {
            number();
        } else if (is_name_part(c)) {
            name();
        } else if (c == '<' || c == '>' || c == '=') {
            const char second = at_ + 1 < bytes_.size() ? bytes_[at_ + 1] : ' ';
            const bool pair = c == '=' ? second == '<' || second == '>' : second == '=';
            add(LpToken::kComparison, pair ? 2 : 1,
                bytes_.substr(pair && c == '=' ? at_ + 1 : at_, 1));
        } else if (std::string_view("+-*^/[]:").find(c) != std::string_view::npos) {
            add(LpToken::kSymbol, 1, bytes_.substr(at_, 1));
        } else {
            const auto byte = static_cast<unsigned char>(c);
            fail_at(source_, line_,
                    byte > 0x20 && byte < 0x7F ? in_quotes(bytes_.substr(at_, 1))
                                               : fmt::format("byte {:#04x}", byte),
                    "a name, a number or an operator");
        }
    }
    void digits(size_t& end) const {
        while (end < bytes_.size() && is_digit(bytes_[end])) ++end;
    }
    void number() {
        size_t end = at_;
        digits(end);
        if (end < bytes_.size() && bytes_[end] == '.') digits(++end);
        if (end < bytes_.size() && (bytes_[end] | 0x20) == 'e') {
            ++end;
            if (end < bytes_.size() && (bytes_[end] == '+' || bytes_[end] == '-')) ++end;
            digits(end);
        }
        while (end < bytes_.size() && is_name_part(bytes_[end])) ++end;
        const auto text = bytes_.substr(at_, end - at_);
        const auto value = parse_number(text);
        if (!value) fail_at(source_, line_, in_quotes(text), "a number of at most 1e60 in size");
        add(LpToken::kNumber, text.size(), text);
        words_.back().value = *value;
    }
    void name() {
        size_t end = at_;
        while (end < bytes_.size() && is_name_part(bytes_[end])) ++end;
        const auto text = bytes_.substr(at_, end - at_);
        const auto section = first_ ? section_of(text) : std::nullopt;
        add(section ? LpToken::kSection : LpToken::kName, text.size(), text);
        if (!section) {
            if (text.size() > kLongestName)
                fail_at(source_, line_, in_quotes(text), "a name of at most 255 characters");
            return;
        }
        words_.back().section = *section;
        const std::string lower = lower_case(text);
        if (lower == "subject") second("to");
        if (lower == "such") second("that");
    }
    // The second word of a section's name, on the same line.
    void second(std::string_view expected) {
        while (at_ < bytes_.size() && (bytes_[at_] == ' ' || bytes_[at_] == '\t')) ++at_;
        const auto word = bytes_.substr(at_, expected.size());
        const size_t end = at_ + word.size();
        const bool longer = end < bytes_.size() && is_name_part(bytes_[end]);
        if (lower_case(word) != expected || longer)
            fail_at(source_, line_, in_quotes(words_.back().text),
                    fmt::format("'{}' behind it", expected));
        at_ = end;
    }

    Source source_;
    StopLooks looks_{source_};
    std::string_view bytes_;
    size_t at_ = 0;
    int64_t line_ = 1;
    bool first_ = true;
    std::vector<LpWord> words_;
};

}  // namespace

std::vector<LpWord> lp_words(const Source& source) { return Words(source).all(); }

bool is_lp_name(std::string_view name) {
    if (name.empty() || name.size() > kLongestName || is_digit(name[0]) || name[0] == '.')
        return false;
    if (!std::ranges::all_of(name, is_name_part) || section_of(name)) return false;
    const bool exponent = (name[0] | 0x20) == 'e' &&
                          (name.size() == 1 || is_digit(name[1]) || (name[1] | 0x20) == 'e');
    const std::string lower = lower_case(name);
    return !exponent && lower != "free" && lower != "inf" && lower != "infinity" && lower != "nan";
}

}  // namespace adiabat::qubo::formats
