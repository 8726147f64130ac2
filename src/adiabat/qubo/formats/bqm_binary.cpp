// SPDX-License-Identifier: Apache-2.0
//
// dimod's binary files (.bqm), versions 1.0 and 2.0, little-endian:
//
//     "DIMODBQM", two bytes of version, uint32 length of the header, the header: JSON padded with
//     spaces; the offset; for each variable (start of its neighborhood, linear bias); for each
//     entry of the neighborhoods (other variable, bias), both triangles, ascending; from 2.0 on,
//     where the header says so, "VARS", a uint32 length, and the labels as JSON.
//
// Written is 2.0 with float64 and int32. Messages name the byte where text has a line.
//
// Source: dimod 0.12, BinaryQuadraticModel.to_file.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "adiabat/qubo/formats/labels.h"
#include "adiabat/qubo/formats/readers.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

static_assert(std::endian::native == std::endian::little, "the numbers are copied as they are");

constexpr std::string_view kMagic = "DIMODBQM", kLabels = "VARS";
constexpr size_t kAlignment = 64;

enum class Number { kInt32, kInt64, kUint32, kUint64, kFloat32, kFloat64 };

size_t bytes_of(Number number) {
    return number == Number::kInt32 || number == Number::kUint32 || number == Number::kFloat32 ? 4
                                                                                               : 8;
}

class ByteScanner {
  public:
    explicit ByteScanner(const Source& source) : source_(source) {}

    [[noreturn]] void fail(std::string_view found, std::string_view expected) const {
        throw InputError("{}: byte {}: found {}, expected {}", source_.name, at_, found, expected);
    }
    size_t left() const { return source_.bytes.size() - at_; }
    std::string_view take(size_t count, const char* what) {
        if (count > left())
            fail(fmt::format("{} more bytes", left()), fmt::format("{} of {}", count, what));
        at_ += count;
        return source_.bytes.substr(at_ - count, count);
    }
    template <typename T>
    T value(const char* what) {
        T value;
        std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
        return value;
    }
    double bias(Number type) {
        const double value = type == Number::kFloat32
                                 ? static_cast<double>(this->value<float>("a bias"))
                                 : this->value<double>("a bias");
        if (std::abs(value) <= kLargestCoefficient) return value;
        at_ -= bytes_of(type);
        fail(fmt::format("{}", value), "a number of at most 1e60 in size");
    }
    int64_t index(Number type, int64_t low, int64_t high, const char* what) {
        int64_t value = 0;
        switch (type) {
            case Number::kInt32:
                value = this->value<int32_t>(what);
                break;
            case Number::kUint32:
                value = this->value<uint32_t>(what);
                break;
            default:
                value = this->value<int64_t>(what);
                break;
        }
        if (value >= low && value <= high) return value;
        at_ -= bytes_of(type);
        fail(fmt::format("{}", value), fmt::format("{}, {} to {}", what, low, high));
    }

  private:
    Source source_;
    size_t at_ = 0;
};

struct Header {
    int64_t interactions = 0;
    Number bias, index, start;
    bool labels_follow = false;
    std::vector<std::string> names;
};

Number number_of(const JsonValue& value,
                 std::initializer_list<std::pair<const char*, Number>> known) {
    const std::string name = value.string();
    std::string names;
    for (const auto& [each, number] : known) {
        if (name == each) return number;
        names += (names.empty() ? "" : ", ") + std::string(each);
    }
    value.fail("one of " + names);
}

Header read_header(ByteScanner& scanner, const Source& source, Pairs& pairs) {
    if (scanner.left() < kMagic.size() || !source.bytes.starts_with(kMagic))
        scanner.fail(in_quotes(source.bytes.substr(0, kMagic.size())), "'DIMODBQM'");
    scanner.take(kMagic.size(), "the magic");
    const auto version = scanner.take(2, "the version");
    if ((version[0] != 1 && version[0] != 2) || version[1] != 0)
        scanner.fail(fmt::format("version {}.{}", static_cast<uint8_t>(version[0]),
                                 static_cast<uint8_t>(version[1])),
                     "1.0 or 2.0");
    const auto length = scanner.value<uint32_t>("the length of the header");
    const JsonText text({scanner.take(length, "the header"), source.name, source.stop});
    const JsonMembers members(text.root(),
                              {"shape", "dtype", "itype", "ntype", "vartype", "type", "variables"});
    const auto integers = {std::pair("int32", Number::kInt32), std::pair("int64", Number::kInt64),
                           std::pair("uint32", Number::kUint32),
                           std::pair("uint64", Number::kUint64)};
    Header header;
    header.bias = number_of(members.need("dtype"),
                            {{"float32", Number::kFloat32}, {"float64", Number::kFloat64}});
    header.index = number_of(members.need("itype"), integers);
    header.start = number_of(members.need("ntype"), integers);
    const JsonValue kind = members.need("vartype");
    pairs.spins = kind.string() == "SPIN";
    if (!pairs.spins && kind.string() != "BINARY") kind.fail("\"SPIN\" or \"BINARY\"");

    std::vector<int64_t> shape;
    // The numbers of entries are bounded by their bytes below.
    constexpr int64_t kMost = int64_t{1} << 61;
    members.need("shape").expect_size(2, "numbers");
    members.need("shape").for_each([&](const JsonValue& value) {
        shape.push_back(value.integer(0, shape.empty() ? kMaxSparseVariables : kMost, "a size"));
    });
    const size_t entry = bytes_of(header.start) + bytes_of(header.bias);
    if (static_cast<size_t>(shape[0]) > scanner.left() / entry) {
        scanner.fail(fmt::format("{} more bytes", scanner.left()),
                     fmt::format("the {} variables of the header", shape[0]));
    }
    pairs.variables = static_cast<int>(shape[0]);
    header.interactions = shape[1];
    const JsonValue labels = members.need("variables");
    if (version[0] == 2) {
        header.labels_follow = labels.boolean();
    } else {
        header.names = names_of_labels(labels, pairs.variables);
    }
    return header;
}

// The two triangles say the same: row v names the u < v in the order in which their rows named v.
class Triangles {
  public:
    Triangles(int variables, Pairs& pairs) : pairs_(pairs), rows_(static_cast<size_t>(variables)) {}

    void upper(int v, int u, double bias) { rows_[static_cast<size_t>(u)].push_back({v, u, bias}); }
    // Entry u of row v, u < v; an error unless row u had it.
    bool lower(int v, int u, double bias) {
        auto& row = rows_[static_cast<size_t>(v)];
        if (next_ >= row.size() || row[next_].i != u || row[next_].value != bias) return false;
        ++next_;
        pairs_.edges.push_back({u, v, bias});
        return true;
    }
    // Whether all that other rows said of v has been said by its own.
    bool finish(int v) {
        auto& row = rows_[static_cast<size_t>(v)];
        const bool complete = next_ == row.size();
        row = {};
        next_ = 0;
        return complete;
    }

  private:
    Pairs& pairs_;
    std::vector<std::vector<Edge>> rows_;
    size_t next_ = 0;
};

void read_neighborhoods(const Source& source, ByteScanner& scanner, const Header& header,
                        const std::vector<int64_t>& starts, Pairs& pairs) {
    StopLooks looks(source);
    Triangles triangles(pairs.variables, pairs);
    constexpr const char* kExpected = "both triangles with the same biases, ascending";
    for (int v = 0; v < pairs.variables; ++v) {
        int last = -1;
        const int64_t degree = starts[static_cast<size_t>(v) + 1] - starts[static_cast<size_t>(v)];
        for (int64_t k = 0; k < degree; ++k) {
            looks.look();
            const auto u =
                static_cast<int>(scanner.index(header.index, 0, pairs.variables - 1, "a variable"));
            const double bias = scanner.bias(header.bias);
            if (u <= last || u == v || (u < v && !triangles.lower(v, u, bias)))
                scanner.fail(fmt::format("variable {} and {} = {}", v, u, bias), kExpected);
            if (u > v) triangles.upper(v, u, bias);
            last = u;
        }
        if (!triangles.finish(v))
            scanner.fail(fmt::format("variable {} without some of its pairs", v), kExpected);
    }
}

std::vector<std::string> read_labels(ByteScanner& scanner, const Source& source, int variables) {
    const auto magic = scanner.take(kLabels.size(), "VARS");
    if (magic != kLabels) scanner.fail(in_quotes(magic), "'VARS'");
    const auto length = scanner.value<uint32_t>("the length of the labels");
    const JsonText text({scanner.take(length, "the labels"), source.name, source.stop});
    return names_of_labels(text.root(), variables);
}

template <typename T>
void put(std::string& text, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    text.append(bytes, sizeof(T));
}

// The text with a length in front, padded so that the whole, with `before` bytes, is aligned.
std::string padded(std::string text, size_t before) {
    before += sizeof(uint32_t);
    text.append((kAlignment - (before + text.size()) % kAlignment) % kAlignment, ' ');
    std::string whole;
    put(whole, static_cast<uint32_t>(text.size()));
    return whole + text;
}

}  // namespace

Problem read_bqm_binary(const Source& source, const ReadOptions&) {
    Pairs pairs;
    ByteScanner scanner(source);
    Header header = read_header(scanner, source, pairs);
    pairs.offset = scanner.bias(header.bias);
    const int64_t entries = 2 * header.interactions;
    source.check_memory(0, pairs.variables, static_cast<uint64_t>(header.interactions),
                        2 * sizeof(Edge));
    std::vector<int64_t> starts;
    for (int v = 0; v < pairs.variables; ++v) {
        const int64_t low = starts.empty() ? 0 : starts.back();
        starts.push_back(
            scanner.index(header.start, low, v == 0 ? 0 : entries, "a start of a neighborhood"));
        pairs.edges.push_back({v, v, scanner.bias(header.bias)});
    }
    if (starts.empty() && entries > 0)
        scanner.fail(fmt::format("{} interactions", header.interactions), "none without variables");
    starts.push_back(entries);
    read_neighborhoods(source, scanner, header, starts, pairs);
    if (header.labels_follow) header.names = read_labels(scanner, source, pairs.variables);
    if (scanner.left() > 0)
        scanner.fail(fmt::format("{} more bytes", scanner.left()), "the end of the file");
    return problem_of(source, std::move(pairs), std::move(header.names));
}

std::string write_bqm_binary(const Problem& problem) {
    refuse_constraints(problem, "bqm");
    const Listed list = list_of(problem, true);
    if (list.pairs.size() > static_cast<size_t>(INT32_MAX) / 2) {
        throw InputError("bqm counts its entries in 32 bits, {} pairs are too many: expected coo",
                         list.pairs.size());
    }
    const auto n = static_cast<size_t>(problem.variables());
    std::string text{kMagic};
    text += '\2';
    text += '\0';
    const std::string header = fmt::format(
        R"({{"dtype": "float64", "itype": "int32", "ntype": "int32", "shape": [{}, {}], )"
        R"("type": "BinaryQuadraticModel", "variables": {}, "vartype": "{}"}})"
        "\n",
        n, list.pairs.size(), !problem.names.empty(), problem.spins ? "SPIN" : "BINARY");
    text += padded(header, text.size());

    std::vector<std::vector<std::pair<int32_t, double>>> rows(n);
    for (const auto& [i, j, value] : list.pairs) {
        rows[static_cast<size_t>(i)].emplace_back(j, value);
        rows[static_cast<size_t>(j)].emplace_back(i, value);
    }
    put(text, list.offset);
    int32_t start = 0;
    for (size_t v = 0; v < n; ++v) {
        std::ranges::sort(rows[v]);
        put(text, start);
        put(text, list.linear[v]);
        start += static_cast<int32_t>(rows[v].size());
    }
    for (const auto& row : rows) {
        for (const auto& [other, value] : row) {
            put(text, other);
            put(text, value);
        }
    }
    if (problem.names.empty()) return text;
    text += kLabels;
    return text + padded(labels_of_names(problem), kLabels.size());
}

}  // namespace adiabat::qubo::formats
