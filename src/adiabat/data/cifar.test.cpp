// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/cifar.h"

#include <algorithm>

#include "adiabat/data/open.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {
namespace {

// Records whose label is their number (mod classes) and whose pixels begin with it.
std::vector<uint8_t> records(int count, int label_bytes, int classes, int first = 0) {
    std::vector<uint8_t> bytes;
    for (int k = first; k < first + count; ++k) {
        if (label_bytes == 2) bytes.push_back(7);
        bytes.push_back(static_cast<uint8_t>(k % classes));
        auto pixels = ramp(3072);
        pixels[0] = static_cast<uint8_t>(k);
        bytes.insert(bytes.end(), pixels.begin(), pixels.end());
    }
    return bytes;
}

TEST(Cifar, ReadsRowsAcrossPartFilesInTheOrderAsked) {
    const TemporaryFolder folder;
    folder.write("data_batch_1.bin", records(5, 1, 10));
    folder.write("data_batch_2.bin", records(4, 1, 10, 5));
    folder.write("test_batch.bin", records(3, 1, 10, 100));
    const auto train = open_source(folder.path());
    EXPECT_EQ(train->size(), 9);
    EXPECT_EQ(train->part(), Split::kTrain);
    EXPECT_EQ(train->image_shape(), (net::Shape{3, 32, 32}));
    const auto data = train->read(std::vector<int64_t>{8, 0, 4, 5, 4});
    EXPECT_EQ(data.labels, (std::vector<int32_t>{8, 0, 4, 5, 4}));
    EXPECT_EQ(data.images.shape, (net::Shape{5, 3, 32, 32}));
    for (size_t k = 0; k < 5; ++k) {
        EXPECT_EQ(data.images.bytes[k * 3072], data.labels[k]);
        EXPECT_EQ(data.images.bytes[k * 3072 + 1000], 1000 % 251);
    }
    const auto test = open_dataset(folder.path(), {.preferred = Split::kTest});
    EXPECT_EQ(test.size(), 3);
    EXPECT_EQ(test.images.bytes[0], 100);
    EXPECT_EQ(open_dataset(folder.path(), {.split = Split::kTest}).size(), 3);
}

TEST(Cifar, NeedsOnlyThePartFilesOfTheRows) {
    const TemporaryFolder folder;
    folder.write("data_batch_1.bin", records(5, 1, 10));
    folder.write("data_batch_2.bin", records(4, 1, 10, 5));
    const auto source = open_source(folder.path());
    std::filesystem::remove(folder / "data_batch_2.bin");
    EXPECT_EQ(source->read(std::vector<int64_t>{0, 4}).size(), 2);
    EXPECT_REFUSED(source->read(std::vector<int64_t>{5}), "data_batch_2.bin: reading record 0");
}

TEST(Cifar, TakesTheOnePartThereIs) {
    const TemporaryFolder folder;
    folder.write("test_batch.bin", records(2, 1, 10));
    EXPECT_EQ(open_source(folder.path())->part(), Split::kTest);
    EXPECT_REFUSED(open_source(folder.path(), {.split = Split::kTrain}),
                   "has no train part, only a test part");
    EXPECT_EQ(open_dataset(folder / "test_batch.bin").size(), 2);
}

TEST(Cifar, ReadsTheFineLabelsOfCifar100) {
    const TemporaryFolder folder;
    folder.write("train.bin", records(12, 2, 100, 40));
    const auto data = open_dataset(folder.path());
    EXPECT_EQ(data.size(), 12);
    EXPECT_EQ(data.labels[3], 43);
    EXPECT_EQ(data.images.bytes[3 * 3072], 43);
    const auto renamed = folder.write("mine.bin", records(5, 2, 100, 40));
    EXPECT_EQ(open_dataset(renamed).labels[4], 44);
}

TEST(Cifar, SaysWhatIsWrong) {
    const TemporaryFolder folder;
    auto bytes = records(3, 1, 10);
    bytes.pop_back();
    const auto file = folder.write("data_batch_1.bin", bytes);
    EXPECT_REFUSED(open_source(folder.path()),
                   "truncated, 9218 bytes found, 9219 expected for 3 CIFAR-10 records of 3073");
    folder.write("data_batch_1.bin", {});
    EXPECT_REFUSED(open_source(folder.path()), "data_batch_1.bin: is empty");
    EXPECT_REFUSED(open_source(file), "data_batch_1.bin: is empty");
    bytes = records(3, 1, 10);
    bytes[3073] = 10;
    folder.write("data_batch_1.bin", bytes);
    EXPECT_REFUSED(open_dataset(file), "record 1 has label 10: CIFAR-10 has 0 to 9");
    EXPECT_REFUSED(open_source(file)->read(std::vector<int64_t>{3}), "has no image 3: it has 3");
    EXPECT_REFUSED(open_source(file)->read(std::vector<int64_t>{-1}), "has no image -1");
}

TEST(Cifar, ReadsTheRealData) {
    const std::filesystem::path path = ADIABAT_SOURCE_DIR "/../shared/data/cifar-10-batches-bin";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no CIFAR-10 at " << path;
    const auto test = open_dataset(path, {.split = Split::kTest});
    ASSERT_EQ(test.size(), 10'000);
    EXPECT_EQ(test.labels[0], 3);  // a cat
    std::vector<int> count(10);
    for (const int32_t label : test.labels) ++count[static_cast<size_t>(label)];
    EXPECT_EQ(count, std::vector<int>(10, 1000));
    const auto train = open_source(path);
    EXPECT_EQ(train->size() % 10'000, 0);
    EXPECT_EQ(train->read(std::vector<int64_t>{0}).labels[0], 6);  // a frog
}

}  // namespace
}  // namespace adiabat::data
