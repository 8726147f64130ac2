// SPDX-License-Identifier: Apache-2.0
#pragma once

// The LibTorch headers that the plug-in needs, precompiled: ATen and three entries of autograd.
// All of torch/torch.h would take three times as long (13 s against 4.5 s) for optimizers and
// modules unused here.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
