// Descriptions of CPUs to quantize for: some by name, others from a file.
#pragma once

#include <string>
#include <vector>

#include "mote/quantize.h"

namespace mote::cli {

std::vector<std::string> known_cpus();

// A name of known_cpus(), or a path to a file of lines KEY = VALUE in TOML: numbers and strings, comments, no tables:
//
//   name = "board"
//   like = "cortex-a72"               # optional: where the other values come from
//   ghz = 1.8
//   f32_macs_per_cycle = 4            # of one core, in convolutions and products, as reached in practice
//   int8_macs_per_cycle = 8
//   f32_depthwise_macs_per_cycle = 2  # of depthwise convolutions
//   int8_depthwise_macs_per_cycle = 3
//   gbytes_per_s = 4                  # from memory
//   requantize_cycles = 1             # per element that a layer gives
//   step_us = 1                       # per layer, whatever it does
Result<CpuModel> cpu_model(const std::string& name_or_path);

}  // namespace mote::cli
