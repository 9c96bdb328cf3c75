#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <svi/metric/metric.hpp>

#include "vbench/frame_values.hpp"
#include "vision/flow/raft.hpp"

namespace svi::vbench {

/// The options of every metric that looks at RAFT's flow.
struct RaftOptions {
  std::string file;
  std::int64_t iterations = vision::Raft::kIterations;

  void describe(OptionVisitor& visit) {
    visit(file, {.key = "file",
                 .help = "RAFT's weights in the official names; empty: raft-things.pth in the "
                         "folder of [evaluation] weights"});
    visit(iterations,
          {.key = "iterations", .help = "updates of the flow; VBench: 20", .min = 1, .max = 1000});
  }
};

/// The file of RAFT that VBench uses; `given` is the value of the option `file`.
MetricFile raft_things(const std::string& given);
/// RAFT on that file, shared by all metrics that use it.
std::shared_ptr<vision::Raft> shared_raft(const MetricContext& context);

/// How fast the fastest part of a flow [2, H, W] moves: the mean length over the int(share H W)
/// longest vectors, in pixels; NaN where that is none.
double flow_strength(const at::Tensor& flow, double share);

/// The number of a film, and of the set of films; nothing where the mean is of nothing.
void give_film(std::size_t quantity, const Mean& mean, MetricSink& sink);

}  // namespace svi::vbench
