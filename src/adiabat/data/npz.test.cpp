// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/npz.h"

#include <zlib.h>

#include "adiabat/base/random.h"
#include "adiabat/data/npy.h"
#include "adiabat/data/open.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {
namespace {

struct Entry {
    std::string name;
    net::Tensor array;
    bool deflated = false;
};

void put(std::vector<uint8_t>& bytes, uint64_t value, int width) {
    for (int k = 0; k < width; ++k) bytes.push_back(static_cast<uint8_t>(value >> (8 * k)));
}

std::vector<uint8_t> deflated(const std::vector<uint8_t>& plain) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::vector<uint8_t> packed(deflateBound(&stream, plain.size()));
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

// An archive as numpy.savez (or savez_compressed) writes it; with `zip64`, sizes stand in the extra
// field.
std::vector<uint8_t> archive(const std::vector<Entry>& entries, bool zip64 = false) {
    std::vector<uint8_t> bytes, directory;
    for (const auto& [name, array, deflate_it] : entries) {
        const auto plain = format_npy(array);
        const auto packed = deflate_it ? deflated(plain) : plain;
        const uint64_t crc = crc32_z(0, plain.data(), plain.size()), offset = bytes.size();
        const uint64_t see64 = 0xFFFFFFFF;
        for (auto* const target : {&bytes, &directory}) {
            const bool central = target == &directory;
            put(*target, central ? 0x02014b50 : 0x04034b50, 4);
            put(*target, 45, central ? 4 : 2);
            put(*target, 0, 2);
            put(*target, deflate_it ? 8 : 0, 2);
            put(*target, 0, 4);
            put(*target, crc, 4);
            put(*target, zip64 ? see64 : packed.size(), 4);
            put(*target, zip64 ? see64 : plain.size(), 4);
            put(*target, name.size() + 4, 2);
            put(*target, zip64 ? 20 : 0, 2);
            if (central) {
                put(*target, 0, 8);
                put(*target, 0, 2);
                put(*target, offset, 4);
            }
            for (const char c : name + ".npy") target->push_back(static_cast<uint8_t>(c));
            if (zip64) {
                put(*target, 1, 2);
                put(*target, 16, 2);
                put(*target, plain.size(), 8);
                put(*target, packed.size(), 8);
            }
        }
        bytes.insert(bytes.end(), packed.begin(), packed.end());
    }
    const uint64_t start = bytes.size();
    bytes.insert(bytes.end(), directory.begin(), directory.end());
    put(bytes, 0x06054b50, 4);
    put(bytes, 0, 4);
    put(bytes, entries.size(), 2);
    put(bytes, entries.size(), 2);
    put(bytes, directory.size(), 4);
    put(bytes, start, 4);
    put(bytes, 0, 2);
    return bytes;
}

net::Tensor images(int64_t count, size_t step = 1) {
    return net::Tensor::of<uint8_t>({count, 3, 2, 2}, ramp(static_cast<size_t>(count) * 12, step));
}
net::Tensor labels(const std::vector<int64_t>& values) {
    return net::Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

TEST(Npz, ReadsStoredAndDeflatedMembers) {
    const TemporaryFolder folder;
    for (const bool packed : {false, true}) {
        for (const bool zip64 : {false, true}) {
            const auto path = folder.write(
                "a.npz",
                archive({{"labels", labels({1, 0, 2, 1}), packed}, {"images", images(4), packed}},
                        zip64));
            EXPECT_EQ(Npz(path).names(), (std::vector<std::string>{"images", "labels"}));
            const auto data = open_dataset(path);
            EXPECT_EQ(data.images, images(4));
            EXPECT_EQ(data.labels, (std::vector<int32_t>{1, 0, 2, 1}));
        }
    }
}

TEST(Npz, ChoosesThePart) {
    const TemporaryFolder folder;
    const auto path = folder.write("m.npz", archive({{"x_train", images(4)},
                                                     {"y_train", labels({0, 1, 2, 3})},
                                                     {"x_test", images(2, 5)},
                                                     {"y_test", labels({7, 8})}}));
    EXPECT_EQ(open_dataset(path).labels.size(), 4u);
    EXPECT_EQ(open_dataset(path, {.preferred = Split::kTest}).labels, (std::vector<int32_t>{7, 8}));
    EXPECT_EQ(open_dataset(path, {.split = Split::kTest}).images, images(2, 5));
    const auto one = folder.write("o.npz", archive({{"x_test", images(2)}}));
    EXPECT_EQ(open_source(one)->part(), Split::kTest);
    EXPECT_FALSE(open_source(one)->has_labels());
    EXPECT_REFUSED(open_source(one, {.split = Split::kTrain}), "has no train part");
}

TEST(Npz, SaysWhatIsWrong) {
    const TemporaryFolder folder;
    auto path = folder.write("a.npz", archive({{"weights", images(1)}, {"bias", labels({1})}}));
    EXPECT_REFUSED(open_source(path), "has no images: expected an array named images");
    EXPECT_REFUSED(open_source(path), "found bias, weights");
    path = folder.write("a.npz", archive({{"x", images(3)}, {"y", labels({1})}}));
    EXPECT_REFUSED(open_source(path), "has 1 labels for 3 images");
    auto bytes = archive({{"x", images(3), true}});
    bytes[60] ^= 0xFF;
    path = folder.write("a.npz", bytes);
    EXPECT_REFUSED(open_source(path), "a.npz[x]: ");
    bytes = archive({{"x", images(3)}});
    bytes[170] ^= 0xFF;
    path = folder.write("a.npz", bytes);
    EXPECT_REFUSED(open_source(path), "is damaged, its CRC is");
    path = folder.write("a.npz", ramp(100));
    EXPECT_REFUSED(open_source(path), "is no npz archive");
    EXPECT_THROW(Npz(folder / "missing.npz"), InputError);
}

// Truncations and flipped bytes give arrays or an InputError, nothing else.
TEST(Npz, SurvivesDamage) {
    const auto whole = archive({{"x", images(2), true}, {"y", labels({0, 1})}}, true);
    const auto read = [](std::vector<uint8_t> bytes) {
        const Npz damaged(std::move(bytes), "a.npz");
        for (const auto& name : damaged.names()) damaged.read(name);
    };
    EXPECT_NO_THROW(read(whole));
    for (size_t cut = 0; cut < whole.size(); ++cut) {
        EXPECT_THROW(read({whole.begin(), whole.begin() + static_cast<int64_t>(cut)}), InputError)
            << cut;
    }
    Random random(2);
    for (int k = 0; k < 20'000; ++k) {
        auto bytes = whole;
        const uint32_t at = random.below(static_cast<uint32_t>(bytes.size()));
        bytes[at] ^= static_cast<uint8_t>(1 + random.below(255));
        try {
            read(bytes);
        } catch (const InputError&) {
        }
    }
}

}  // namespace
}  // namespace adiabat::data
