// SPDX-License-Identifier: Apache-2.0
#pragma once

// Images and labels: a Source knows what a file or directory holds, a Dataset is what was read of
// it.
//
// A Source reads the rows it is asked for and, where the format lets it, touches only their bytes:
// 2,048 of CIFAR-10's 50,000 images cost the parts they are in. Pixels stay as stored (uint8 stays
// uint8), in NCHW order, unless they are asked to be resized; `preprocess.h` makes them what a
// network takes.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/tensor.h"

namespace adiabat::data {

// Which part of a directory or archive that has two.
enum class Split { kAuto, kTrain, kTest };
// "auto", "train", "test".
std::string_view name_of(Split split);
// Throws InputError for other names.
Split parse_split(std::string_view name);

// How a stored array of images is ordered.
enum class Layout { kNchw, kNhwc };
std::string_view name_of(Layout layout);
// "NCHW" or "NHWC", in any case. Throws InputError for other names.
Layout parse_layout(std::string_view name);

struct Dataset {
    std::string source;      // the path, as the user gave it
    net::Shape image_shape;  // C, H, W
    net::DType type = net::DType::kUndefined;
    net::Tensor images;           // [N, C, H, W] of `type`, as stored
    std::vector<int32_t> labels;  // N of them, or empty where there are none

    int64_t size() const { return images.shape.empty() ? 0 : images.shape[0]; }
};

// An image that cannot be read, and why: "FILE: reason".
struct Broken {
    int64_t row = 0;
    std::string reason;
};

class Source {
  public:
    virtual ~Source() = default;

    const std::string& name() const { return name_; }         // the path
    const net::Shape& image_shape() const { return shape_; }  // C, H, W
    net::DType type() const { return type_; }                 // of a pixel
    int64_t size() const { return size_; }                    // images, at least 1
    bool has_labels() const { return has_labels_; }
    Split part() const { return part_; }  // kAuto: the whole, not divided

    // The images of these rows (each from 0 to size() - 1), in this order, with their labels.
    // Throws InputError for a row that is not there, a float pixel that is not finite, or a file
    // that cannot be read.
    Dataset read(std::span<const int64_t> rows) const;
    // All rows.
    Dataset read_all() const;

    // Those of the rows whose files are broken; tries each. Only folders of images can have some:
    // where one file holds all images, it is right or wrong as a whole.
    virtual std::vector<Broken> find_broken(std::span<const int64_t> rows) const;
    // Files that were left out when the folder was opened: "FILE: reason".
    const std::vector<std::string>& left_out() const { return left_out_; }
    // The file whose size the image shape is, where no option says the size.
    const std::string& shape_from() const { return shape_from_; }
    // How many class folders give the labels; 0 where labels come from elsewhere.
    int64_t class_folders() const { return class_folders_; }

  protected:
    // Copies row rows[k] to pixels + k * (bytes of an image), NCHW, and its label to labels[k]
    // where there are labels. Rows are in range.
    virtual void read_rows(std::span<const int64_t> rows, uint8_t* pixels,
                           int32_t* labels) const = 0;

    int64_t image_bytes() const { return net::elements(shape_) * net::bits_of(type_) / 8; }

    std::string name_;
    net::Shape shape_;
    net::DType type_ = net::DType::kUndefined;
    int64_t size_ = 0;
    bool has_labels_ = false;
    Split part_ = Split::kAuto;
    std::vector<std::string> left_out_;
    std::string shape_from_;
    int64_t class_folders_ = 0;
};

// Throws InputError that begins with `where` unless every label is 0 .. classes - 1.
void check_labels(std::span<const int32_t> labels, int64_t classes, std::string_view where);

}  // namespace adiabat::data
