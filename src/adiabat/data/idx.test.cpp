// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/idx.h"

#include <zlib.h>

#include "adiabat/data/open.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {
namespace {

std::vector<uint8_t> idx(const std::vector<uint8_t>& sizes, const std::vector<uint8_t>& elements) {
    std::vector<uint8_t> bytes{0, 0, 8, static_cast<uint8_t>(sizes.size())};
    for (const uint8_t size : sizes) bytes.insert(bytes.end(), {0, 0, 0, size});
    bytes.insert(bytes.end(), elements.begin(), elements.end());
    return bytes;
}

void write_gz(const std::filesystem::path& path, const std::vector<uint8_t>& bytes) {
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
}

TEST(Idx, ReadsADirectoryInTwoParts) {
    const TemporaryFolder folder;
    folder.write("train-images-idx3-ubyte", idx({3, 2, 5}, ramp(30)));
    folder.write("train-labels-idx1-ubyte", idx({3}, {4, 0, 9}));
    write_gz(folder / "t10k-images-idx3-ubyte.gz", idx({2, 2, 5}, ramp(20, 3)));
    write_gz(folder / "t10k-labels-idx1-ubyte.gz", idx({2}, {1, 2}));
    const auto train = open_dataset(folder.path());
    EXPECT_EQ(train.image_shape, (net::Shape{1, 2, 5}));
    EXPECT_EQ(train.images, net::Tensor::of<uint8_t>({3, 1, 2, 5}, ramp(30)));
    EXPECT_EQ(train.labels, (std::vector<int32_t>{4, 0, 9}));
    const auto test = open_dataset(folder.path(), {.preferred = Split::kTest});
    EXPECT_EQ(test.images, net::Tensor::of<uint8_t>({2, 1, 2, 5}, ramp(20, 3)));
    EXPECT_EQ(test.labels, (std::vector<int32_t>{1, 2}));
}

TEST(Idx, FindsLabelsBesideAFileAndDoesWithout) {
    const TemporaryFolder folder;
    const auto images = folder.write("my-images.idx3-ubyte", idx({2, 1, 1}, {5, 6}));
    EXPECT_TRUE(open_dataset(images).labels.empty());
    EXPECT_FALSE(open_source(images)->has_labels());
    folder.write("my-labels.idx1-ubyte", idx({2}, {1, 0}));
    EXPECT_EQ(open_dataset(images).labels, (std::vector<int32_t>{1, 0}));
    const auto other = folder.write("other", idx({2}, {3, 3}));
    EXPECT_EQ(open_dataset(images, {.labels = other}).labels, (std::vector<int32_t>{3, 3}));
}

TEST(Idx, TurnsChannelsLastIntoChannelsFirst) {
    const TemporaryFolder folder;
    const auto path = folder.write("a-images-idx4-ubyte", idx({2, 1, 2, 3}, {0, 1, 2, 3, 4, 5,  //
                                                                             6, 7, 8, 9, 10, 11}));
    const auto data = open_dataset(path, {.layout = Layout::kNhwc});
    EXPECT_EQ(data.images.shape, (net::Shape{2, 3, 1, 2}));
    EXPECT_EQ(data.images.bytes, (std::vector<uint8_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
    EXPECT_EQ(open_dataset(path).image_shape, (net::Shape{1, 2, 3}));
}

TEST(Idx, SaysWhatIsWrong) {
    const TemporaryFolder folder;
    auto bytes = idx({3, 2, 5}, ramp(30));
    bytes.pop_back();
    const auto path = folder.write("x-images-idx3-ubyte", bytes);
    EXPECT_REFUSED(open_source(path), "truncated, 45 bytes found, 46 expected");
    bytes.insert(bytes.end(), {1, 2});
    folder.write("x-images-idx3-ubyte", bytes);
    EXPECT_REFUSED(open_source(path), "too long, 47 bytes found, 46 expected");
    folder.write("x-images-idx3-ubyte", std::vector<uint8_t>{0, 0, 8, 3, 0, 0});
    EXPECT_REFUSED(open_source(path), "truncated, 6 bytes found, 16 expected for its header");
    folder.write("x-images-idx3-ubyte", std::vector<uint8_t>{0, 0, 13, 3, 0, 0, 0, 1});
    EXPECT_REFUSED(open_source(path), "IDX type 0x0d of rank 3");
    folder.write("x-images-idx3-ubyte", std::vector<uint8_t>{9, 9, 9, 9});
    EXPECT_REFUSED(open_source(path), "is no IDX file");
    folder.write("x-images-idx3-ubyte", idx({0, 2, 5}, {}));
    EXPECT_REFUSED(open_source(path), "is empty, its shape is [0, 2, 5]");
    folder.write("x-images-idx3-ubyte", idx({3}, {1, 2, 3}));
    EXPECT_REFUSED(open_source(path), "has shape [3]: expected images");
    folder.write("x-images-idx3-ubyte", idx({3, 2, 5}, ramp(30)));
    folder.write("x-labels-idx1-ubyte", idx({2}, {1, 0}));
    EXPECT_REFUSED(open_source(path), "has 2 labels for 3 images");
}

TEST(Idx, NoticesDamagedGzip) {
    const TemporaryFolder folder;
    write_gz(folder / "x-images-idx3-ubyte.gz", idx({3, 20, 50}, ramp(3000, 77)));
    std::ifstream file(folder / "x-images-idx3-ubyte.gz", std::ios::binary);
    std::vector<uint8_t> bytes(std::istreambuf_iterator<char>(file), {});
    for (size_t cut = 2; cut < bytes.size(); cut += 1 + cut / 4) {
        const auto path = folder.write("cut-images-idx3-ubyte.gz", std::span(bytes).first(cut));
        EXPECT_THROW(open_source(path), InputError) << cut;
    }
    bytes[bytes.size() / 2] ^= 0x55;
    const auto path = folder.write("bad-images-idx3-ubyte.gz", bytes);
    EXPECT_REFUSED(open_source(path), "damaged");
}

}  // namespace
}  // namespace adiabat::data
