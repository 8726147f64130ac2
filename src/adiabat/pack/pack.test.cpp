// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pack/pack.h"

#include <gtest/gtest.h>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"
#include "adiabat/base/errors.h"
#include "adiabat/onnx/models.test.h"

namespace adiabat::pack {
namespace {

using onnx::testing::few_tensors;
using onnx::testing::many_tensors;
using onnx::testing::to_bytes;
using Container = std::vector<uint8_t>;

std::string refusal_of(std::span<const uint8_t> container, uint64_t most = kMostFileBytes) {
    try {
        unpack(container, "x", {.threads = 1}, most);
    } catch (const InputError& error) {
        return error.what();
    }
    return "nothing is wrong";
}

void expect_word(const std::string& text, const std::string& word) {
    EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' in: " << text;
}

TEST(Pack, GivesTheSameBytesAgain) {
    for (const int64_t size : {10, 400, 3000}) {
        const auto model = to_bytes(many_tensors(size));
        const Packed packed = pack(model, "x");
        EXPECT_EQ(unpack(packed.bytes, "x").bytes, model);
        EXPECT_EQ(unpack(packed.bytes, "x", {.threads = 3}).bytes, model);
        EXPECT_EQ(pack(model, "x", {.threads = 3}).bytes, packed.bytes);
    }
}

TEST(Pack, TakesWhatProtobufWouldWriteOtherwise) {
    // Fields out of order, twice, numbers longer than need be, an empty graph beside a full one.
    auto model = to_bytes(many_tensors());
    const auto more = to_bytes(few_tensors());
    model.insert(model.end(), more.begin(), more.end());
    model.insert(model.end(), {0x3A, 0x80, 0x80, 0x00, 0x08, 0x88, 0x80, 0x00});
    EXPECT_EQ(unpack(pack(model, "x").bytes, "x").bytes, model);
    const std::vector<uint8_t> least = {0x3A, 0x00};
    EXPECT_EQ(unpack(pack(least, "x").bytes, "x").bytes, least);
}

TEST(Pack, EqualTensorsAreStoredOnce) {
    const Packed packed = pack(to_bytes(many_tensors(3000)), "x");
    const auto named = [&](const std::string& name) {
        return std::count_if(packed.table.sections.begin(), packed.table.sections.end(),
                             [&](const Section& section) { return section.name == name; });
    };
    EXPECT_EQ(named("weight"), 1);
    EXPECT_EQ(named("again"), 0);
    EXPECT_EQ(named("(small float tensors)"), 1);
    EXPECT_EQ(named("(small int32 tensors)"), 1);
}

TEST(Pack, TensorsAreStoredInTheBitsThatTheyHave) {
    const Packed packed = pack(to_bytes(many_tensors(3000)), "x");
    const auto section = [&](const std::string& name) {
        return *std::find_if(packed.table.sections.begin(), packed.table.sections.end(),
                             [&](const Section& each) { return each.name == name; });
    };
    EXPECT_EQ(section("planes").layout.coding, Coding::kPlanes);
    EXPECT_EQ(section("planes").layout.width, 3);
    EXPECT_LE(section("planes").stored_bytes(), 9000u);
    EXPECT_EQ(section("codes").layout.width, 4);  // 0 .. 10
    EXPECT_LE(section("codes").stored_bytes(), 6000u);
    EXPECT_EQ(section("constant").layout.width, 1);
    EXPECT_EQ(section("made").layout.coding, Coding::kIntegers);
    EXPECT_LT(section("weight").stored_bytes(), 12000 * 0.9);
}

TEST(Pack, EveryFlippedBitIsFoundAndNamed) {
    const Container whole = pack(to_bytes(few_tensors()), "x").bytes;
    const Opened opened = open(whole, "x");
    const size_t bodies_at = opened.offsets[0];
    for (size_t at = 0; at < whole.size(); ++at) {
        size_t section = 0;
        while (section + 1 < opened.offsets.size() && opened.offsets[section + 1] <= at) ++section;
        const std::string expected = at < kMagic.size()  ? "magic (bytes 0..7)"
                                     : at < kHeaderBytes ? "the header (bytes 0..87)"
                                     : at < bodies_at    ? "the table (bytes 88.."
                                                         : place_of(opened, section);
        for (int bit = 0; bit < 8; ++bit) {
            Container damaged = whole;
            damaged[at] ^= static_cast<uint8_t>(1 << bit);
            const std::string message = refusal_of(damaged);
            ASSERT_NE(message.find(expected), std::string::npos) << at << ": " << message;
        }
    }
    expect_word(place_of(opened, 1), "'first'");
}

TEST(Pack, RandomBitsOfALargerContainerAreFound) {
    const Container whole = pack(to_bytes(many_tensors(3000)), "x").bytes;
    Random random(1);
    for (int draw = 0; draw < 300; ++draw) {
        Container damaged = whole;
        damaged[random.below(static_cast<uint32_t>(whole.size()))] ^=
            static_cast<uint8_t>(1u << random.below(8));
        EXPECT_NE(refusal_of(damaged), "nothing is wrong");
    }
}

TEST(Pack, EveryOtherLengthIsFound) {
    const Container whole = pack(to_bytes(few_tensors()), "x").bytes;
    for (size_t count = 0; count < whole.size(); ++count) {
        const std::string message = refusal_of(std::span(whole).first(count));
        ASSERT_NE(message.find("cut short"), std::string::npos) << count << ": " << message;
    }
    Container longer = whole;
    longer.push_back(0);
    expect_word(refusal_of(longer), "something behind its end");
}

TEST(Pack, SaysWhatIsNoContainerAndWhichVersionItReads) {
    const Container text(200, 'a');
    expect_word(refusal_of(text), "is no container of adiabat");
    expect_word(refusal_of(to_bytes(few_tensors())), "is no container of adiabat");
    Container later = pack(to_bytes(few_tensors()), "x").bytes;
    later[8] = 2;
    const auto digest = Sha256().update(std::span(later).first(80)).raw();
    std::copy_n(digest.begin(), 8, later.begin() + 80);
    expect_word(refusal_of(later), "version 2 of the format, this adiabat reads version 1");
}

// What somebody sealed who meant harm: right digests around anything.
class Sealed {
  public:
    Sealed() : packed_(pack(to_bytes(few_tensors()), "x")), opened_(open(packed_.bytes, "x")) {}

    Table table() const { return opened_.table; }
    Head head() const { return opened_.head; }

    std::string refusal(const Head& head, const Table& table) const {
        const auto bodies = std::span(packed_.bytes).subspan(opened_.offsets[0]);
        // Digests of as much as there is.
        Table of_bodies = opened_.table;
        return refusal_of(seal(head, serialize_table(table), of_bodies, bodies));
    }

  private:
    Packed packed_;
    Opened opened_;
};

TEST(Pack, TablesThatLieAreRefused) {
    const Sealed sealed;
    const auto refused = [&](const auto& change, const std::string& word) {
        Table table = sealed.table();
        Head head = sealed.head();
        change(table, head);
        expect_word(sealed.refusal(head, table), word);
    };
    EXPECT_EQ(sealed.refusal(sealed.head(), sealed.table()), "nothing is wrong");
    refused([](Table&, Head& head) { head.file_bytes = uint64_t{1} << 40; }, "expected at most");
    refused([](Table&, Head& head) { head.file_bytes += 1; }, "bytes of a file of");
    refused([](Table&, Head& head) { head.file_digest[0] ^= 1; }, "not the file that was packed");
    refused([](Table& table, Head&) { table.sections[1].stream_bytes = uint64_t{1} << 30; },
            "section 1: gives 1073741824 bytes");
    refused([](Table& table, Head&) { table.sections[1].stream_bytes += 1; }, "section 1");
    refused([](Table& table, Head&) { table.sections[2].part_bytes[0] = uint64_t{1} << 60; },
            "section 2: 4000 codes of 3 bits do not take");
    refused([](Table& table, Head&) { table.sections[2].layout.element_bits = 24; }, "no coding");
    refused([](Table& table, Head&) { table.sections[2].layout.coding = Coding{9}; }, "no coding");
    refused([](Table& table, Head&) { table.sections[2].layout.width = 0; }, "no coding");
    refused([](Table& table, Head&) { table.sections.pop_back(); }, "section 3");
    refused([](Table& table, Head&) { table.pieces.pop_back(); }, "its table takes section");
    refused([](Table& table, Head&) { table.pieces[0].section = 99; }, "a piece of");
    refused([](Table& table, Head&) { table.pieces[0].bytes = 0; }, "a piece of 0 bytes");
    refused([](Table& table, Head&) { table.pieces[1].bytes += 1; }, "a piece of");
    refused([](Table& table, Head&) { table.sections[0].part_bytes[0] -= 1; },
            "sections would end");
    refused([](Table& table, Head&) { std::swap(table.pieces[0], table.pieces[1]); },
            "not the file that was packed");
}

// A section that promises much and holds little is refused by the promise.
TEST(Pack, PromisesAreNotBelieved) {
    Table table;
    table.sections.push_back(
        {.name = "s", .layout = {}, .stream_bytes = kMostFileBytes, .part_bytes = {1000}});
    table.pieces.push_back({.section = 0, .bytes = kMostFileBytes});
    const std::vector<uint8_t> body(1000, 0);
    const Head head{.file_bytes = kMostFileBytes};
    expect_word(refusal_of(seal(head, serialize_table(table), table, body)), "do not take 1000");
    // As much as zstd could hold: what is there decides.
    table.sections[0].stream_bytes = table.pieces[0].bytes = 1000 * kMostExpansion;
    const Head less{.file_bytes = 1000 * kMostExpansion};
    expect_word(refusal_of(seal(less, serialize_table(table), table, body)), "no zstd");
    expect_word(refusal_of(pack(to_bytes(few_tensors()), "x").bytes), "nothing is wrong");
    const auto fine = pack(to_bytes(few_tensors()), "x").bytes;
    try {
        unpack(fine, "x", {}, 100);
        FAIL();
    } catch (const InputError& error) {
        expect_word(error.what(), "expected at most 100");
    }
}

TEST(Pack, StopsWhenAsked) {
    StopSource source;
    source.request();
    const auto model = to_bytes(few_tensors());
    EXPECT_THROW(pack(model, "x", {.stop = source.token()}), Interrupted);
    const auto packed = pack(model, "x").bytes;
    EXPECT_THROW(unpack(packed, "x", {.stop = source.token()}), Interrupted);
}

TEST(Pack, TheBundledNetworkIsSmallerThanItsFloats) {
    const auto model = read_file(std::string(ADIABAT_SOURCE_DIR) + "/testdata/fashion-resnet.onnx");
    const Packed packed = pack(model, "x");
    EXPECT_EQ(unpack(packed.bytes, "x").bytes, model);
    EXPECT_LT(static_cast<double>(packed.bytes.size()), 0.85 * static_cast<double>(model.size()));
}

}  // namespace
}  // namespace adiabat::pack
