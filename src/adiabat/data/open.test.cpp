// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/open.h"

#include "adiabat/data/npy.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {
namespace {

TEST(Open, SaysWhatItExpectedWhereThereIsNothing) {
    const TemporaryFolder folder;
    EXPECT_REFUSED(open_source(folder / "none"), "none: no such file or directory: expected CIFAR");
    EXPECT_REFUSED(open_source(""), "no such file or directory");
    EXPECT_REFUSED(open_source(folder.path()), "directory without a known data set");
    EXPECT_REFUSED(open_source(folder.write("a.txt", ramp(7, 40))), "is no data set that is known");
    EXPECT_REFUSED(open_source(folder.write("b.npy", {})), "b.npy: is empty");
    EXPECT_REFUSED(open_source(folder.write("c.npz", ramp(3))), "is no npz archive");
    EXPECT_REFUSED(open_source(folder.write("d.npy", ramp(3))), "is no npy array");
}

TEST(Open, RefusesLabelsBesideWhatHasItsOwn) {
    const TemporaryFolder folder;
    const auto path = folder.write("test_batch.bin", std::vector<uint8_t>(3073));
    EXPECT_REFUSED(open_source(path, {.labels = "y.npy"}), "holds its own labels");
    EXPECT_REFUSED(open_source(folder.path(), {.labels = "y.npy"}), "holds its own labels");
}

TEST(Open, KnowsAnNpyByItsFirstBytes) {
    const TemporaryFolder folder;
    write_npy(folder / "array", net::Tensor::of<uint8_t>({2, 1, 3}, ramp(6)));
    EXPECT_EQ(open_source(folder / "array")->image_shape(), (net::Shape{1, 1, 3}));
}

TEST(Dataset, NamesAndLabelsAreChecked) {
    EXPECT_EQ(parse_split("test"), Split::kTest);
    EXPECT_EQ(parse_layout("nhwc"), Layout::kNhwc);
    EXPECT_THROW(parse_split("Test"), InputError);
    EXPECT_THROW(parse_layout("HWC"), InputError);
    const std::vector<int32_t> labels{0, 9, 3};
    EXPECT_NO_THROW(check_labels(labels, 10, "data"));
    EXPECT_REFUSED(check_labels(labels, 9, "data"),
                   "data: image 1 has label 9, but the network has 9 classes: expected 0 to 8");
    EXPECT_THROW(check_labels(std::vector<int32_t>{-1}, 9, "data"), InputError);
}

}  // namespace
}  // namespace adiabat::data
