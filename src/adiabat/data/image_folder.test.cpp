// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/image_folder.h"

#include <algorithm>

#include "adiabat/data/npy.h"
#include "adiabat/data/pictures.test.h"
#include "adiabat/data/resized_source.h"

namespace adiabat::data {
namespace {

namespace fs = std::filesystem;

void put(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
    fs::create_directories((folder / name).parent_path());
    folder.write(name, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

// A PNG of `picture(8, 10, 3, seed)`.
void put(const TemporaryFolder& folder, const std::string& name, int64_t seed) {
    fs::create_directories((folder / name).parent_path());
    folder.write(name, png_of(picture(8, 10, 3, seed)));
}

std::vector<uint8_t> planes_of(int64_t seed) {
    std::vector<uint8_t> planes(240);
    to_planes(picture(8, 10, 3, seed), 3, planes.data());
    return planes;
}

TEST(ImageFolder, ReadsRowsInOrderOnAnyNumberOfThreads) {
    const TemporaryFolder folder;
    for (int64_t k = 0; k < 9; ++k) put(folder, fmt::format("{}.png", k), k);
    put(folder, ".DS_Store", "hidden");
    for (const int threads : {1, 3}) {
        const auto source = open_source(folder.path(), {.threads = threads});
        EXPECT_EQ(source->size(), 9);
        EXPECT_EQ(source->image_shape(), (net::Shape{3, 8, 10}));
        EXPECT_FALSE(source->has_labels());
        const std::vector<int64_t> rows{7, 0, 7, 3};
        const Dataset data = source->read(rows);
        for (size_t k = 0; k < rows.size(); ++k) {
            const auto begin = data.images.bytes.begin() + static_cast<std::ptrdiff_t>(k * 240);
            EXPECT_EQ(std::vector<uint8_t>(begin, begin + 240), planes_of(rows[k])) << k;
        }
    }
}

TEST(ImageFolder, GrayWhereOneChannelIsWanted) {
    const TemporaryFolder folder;
    put(folder, "a.png", 4);
    const Dataset data = open_dataset(folder.path(), {.channels = 1});
    EXPECT_EQ(data.images.shape, (net::Shape{1, 1, 8, 10}));
    EXPECT_EQ(data.images.bytes, to_gray(picture(8, 10, 3, 4)).samples);
}

TEST(ImageFolder, ClassFoldersAreLabels) {
    const TemporaryFolder folder;
    put(folder, "b/1.png", 1);
    put(folder, "B/2.png", 2);
    put(folder, "a/3.png", 3);
    put(folder, "a/0.png", 0);
    fs::create_directories(folder / "empty");
    const Dataset data = open_dataset(folder.path());
    EXPECT_EQ(data.labels, (std::vector<int32_t>{0, 1, 1, 2}));  // B, a, b, empty
    EXPECT_EQ(open_source(folder.path())->class_folders(), 4);
    put(folder, "names.txt", "b\nx\r\nempty\na\nB\n\n");
    const OpenOptions named{.classes = folder / "names.txt"};
    EXPECT_EQ(open_dataset(folder.path(), named).labels, (std::vector<int32_t>{4, 3, 3, 0}));
    put(folder, "names.txt", "b\na\nb\n");
    EXPECT_REFUSED(open_source(folder.path(), named), "line 3 names b again");
    put(folder, "names.txt", "b\n\na\n");
    EXPECT_REFUSED(open_source(folder.path(), named), "line 2 is empty");
    put(folder, "names.txt", "b\na\nB\n");
    EXPECT_REFUSED(open_source(folder.path(), named), "does not name the class folder");
    fs::remove(folder / "names.txt");
    const auto plain = open_source(folder.path(), {.ignore_classes = true});
    EXPECT_FALSE(plain->has_labels());
    EXPECT_EQ(plain->class_folders(), 0);
}

TEST(ImageFolder, PartsAreChosen) {
    const TemporaryFolder folder;
    put(folder, "train/a/1.png", 1);
    put(folder, "val/a/2.png", 2);
    const auto first = [&](const OpenOptions& options) {
        return open_dataset(folder.path(), options).images.bytes;
    };
    EXPECT_EQ(first({}), planes_of(1));
    EXPECT_EQ(first({.preferred = Split::kTest}), planes_of(2));
    EXPECT_EQ(first({.split = Split::kTest}), planes_of(2));
    put(folder, "test/a/3.png", 3);
    EXPECT_EQ(first({.split = Split::kTest}), planes_of(3));
    fs::remove_all(folder / "train");
    EXPECT_REFUSED(first({.split = Split::kTrain}), "train");
    // Another folder beside them: they are classes.
    put(folder, "other/4.png", 4);
    EXPECT_REFUSED(first({}), "is a folder in a class folder");
}

TEST(ImageFolder, LabelsByFileName) {
    const TemporaryFolder folder;
    for (int64_t k = 0; k < 3; ++k) put(folder, fmt::format("i {}.png", k), k);
    const OpenOptions options{.labels = folder / "labels.txt"};
    put(folder, "labels.txt", "i 2.png 7\ni 0.png\t5\nelse.png 1\ni 1.png  0\n");
    EXPECT_EQ(open_dataset(folder.path(), options).labels, (std::vector<int32_t>{5, 0, 7}));
    for (const char* text : {"a.png\n", "a.png -1\n", " 3\n", "a.png 3x\n", "a.png 99999999999\n",
                             "i 0.png 1\ni 0.png 1\n", "i 0.png 1\n", "", "\n\n", "a.png "}) {
        put(folder, "labels.txt", text);
        EXPECT_REFUSED(open_source(folder.path(), options), "labels.txt: ") << text;
    }
    fs::remove(folder / "labels.txt");
    write_npy(folder / "y.npy", net::Tensor::of<int32_t>({3}, std::vector<int32_t>{2, 1, 0}));
    const OpenOptions array{.labels = folder / "y.npy"};
    EXPECT_EQ(open_dataset(folder.path(), array).labels, (std::vector<int32_t>{2, 1, 0}));
    put(folder, "j.png", 9);
    EXPECT_REFUSED(open_source(folder.path(), array), "has 3 labels for 4 images");
}

TEST(ImageFolder, BrokenFilesAreNamedOrFound) {
    const TemporaryFolder folder;
    for (int64_t k = 0; k < 6; ++k) put(folder, fmt::format("{}.png", k), k);
    put(folder, "0.png", "text");
    put(folder, "4.png", "");
    put(folder, "note.txt", "text");
    EXPECT_REFUSED(open_source(folder.path()), "note.txt that is no JPEG or PNG image by name");
    const auto skipping = open_source(folder.path(), {.skip_broken = true});
    ASSERT_EQ(skipping->left_out().size(), 1u);
    EXPECT_EQ(skipping->image_shape(), (net::Shape{3, 8, 10}));
    const auto broken = skipping->find_broken(std::vector<int64_t>{5, 4, 1, 0});
    ASSERT_EQ(broken.size(), 2u);
    EXPECT_EQ(broken[0].row, 4);
    EXPECT_NE(broken[0].reason.find("4.png: is empty"), std::string::npos);
    EXPECT_EQ(broken[1].row, 0);

    fs::remove(folder / "note.txt");
    EXPECT_REFUSED(open_source(folder.path()), "0.png: is neither JPEG nor PNG: --skip-broken");
    const auto source = open_source(folder.path(), {.geometry = {{}, SizeWish{8, 10}}});
    EXPECT_REFUSED(source->read_all(), "0.png: is neither");
    EXPECT_REFUSED(source->read_all(), "4.png: is empty");
    EXPECT_REFUSED(source->read_all(), "(2 of the 6 images read): --skip-broken");
    EXPECT_NO_THROW(source->read(std::vector<int64_t>{1, 2, 3, 5}));
}

TEST(ImageFolder, SizesThatDifferAreNamed) {
    const TemporaryFolder folder;
    put(folder, "a.png", 1);
    folder.write("b.png", png_of(picture(9, 10, 3)));
    EXPECT_REFUSED(open_dataset(folder.path()), "b.png: gives 9 x 10 pixels (height x width)");
    EXPECT_REFUSED(open_dataset(folder.path()), "a.png gives 8 x 10: expected one size");
    const auto cropped = open_dataset(folder.path(), {.geometry = {{}, SizeWish{8, 8}}});
    EXPECT_EQ(cropped.images.shape, (net::Shape{2, 3, 8, 8}));
}

TEST(ResizedSource, ReadsPieceByPiece) {
    const TemporaryFolder folder;
    net::Tensor images(net::DType::kUint8, {300, 2, 6, 5});
    images.bytes = ramp(images.bytes.size(), 7);
    write_npy(folder / "x.npy", images);
    const Geometry geometry{SizeWish{4, 0}, SizeWish{3, 2}};
    const auto stored = open_dataset(folder / "x.npy");
    const auto got = open_dataset(folder / "x.npy", {.geometry = geometry, .threads = 2});
    ASSERT_EQ(got.images.shape, (net::Shape{300, 2, 3, 2}));
    for (const size_t plane : {0u, 1u, 511u, 512u, 599u}) {
        Raster one({6, 5}, 1);
        std::copy_n(stored.images.bytes.data() + plane * 30, 30, one.samples.data());
        const Raster expected = apply(geometry, one, "a");
        EXPECT_TRUE(std::equal(expected.samples.begin(), expected.samples.end(),
                               got.images.bytes.data() + plane * 6));
    }
    write_npy(folder / "f.npy", net::Tensor(net::DType::kFloat, {2, 1, 4, 4}));
    EXPECT_REFUSED(open_source(folder / "f.npy", {.geometry = geometry}), "expected uint8");
}

}  // namespace
}  // namespace adiabat::data
